"""Models with custom operators, and files that implement these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

DOMAIN = "my.ops"
OPSETS = (helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1))

SWISH = """\
import numpy as np
from trtdebug.plugins.operators import operator

@operator("Swish", "my.ops")
def swish(x, beta=1.0):
    return (x / (1 + np.exp(-beta * x))).astype(x.dtype)
"""
"""An operators file in Python."""


def swish_model() -> onnx.ModelProto:
    """mm -> swish (beta 1.5) -> mul -> swish2 -> tanh; x and y are float [N, 8], nothing else has a declared type."""
    weight = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32) / np.float32(3)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "mm"),
        helper.make_node("Swish", ["a"], ["b"], "swish", domain=DOMAIN, beta=1.5, plugin_version="1"),
        helper.make_node("Mul", ["b", "x"], ["c"], "mul"),
        helper.make_node("Swish", ["c"], ["d"], "swish2", domain=DOMAIN),
        helper.make_node("Tanh", ["d"], ["y"], "tanh"),
    ]
    return model(nodes, [numpy_helper.from_array(weight, "w")])


CUBE = (
    SWISH.replace("Swish", "Cube")
    .replace("def swish(x, beta=1.0):", "def cube(x):")
    .replace("(x / (1 + np.exp(-beta * x))).astype(x.dtype)", "x * x * x")
)
"""An operators file in Python; for x beyond 40 the result is too large for FP16."""


def cube_model() -> onnx.ModelProto:
    """relu -> cube -> log: where the cube overflows, the output is infinite."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "relu"),
        helper.make_node("Cube", ["a"], ["b"], "cube", domain=DOMAIN),
        helper.make_node("Log", ["b"], ["y"], "log"),
    ]
    return model(nodes)


def one_node(op: str = "Foo", domain: str = DOMAIN, **attributes: object) -> onnx.ModelProto:
    """relu -> custom -> neg, over float [N, 8]."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "relu"),
        helper.make_node(op, ["a"], ["b"], "custom", domain=domain, **attributes),
        helper.make_node("Neg", ["b"], ["y"], "neg"),
    ]
    return model(nodes)


def model(nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto] | None = None) -> onnx.ModelProto:
    """Nodes between x and y, float [N, 8]."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 8]) for name in "xy")
    graph = helper.make_graph(nodes, "custom", [x], [y], weights or [])
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=8)


def swish_function() -> onnx.FunctionProto:
    """Swish of ONNX's own operators."""
    beta = onnx.NodeProto(op_type="Constant", output=["beta"])
    beta.attribute.add(name="value_float", ref_attr_name="beta", type=onnx.AttributeProto.FLOAT)
    nodes = [
        beta,
        helper.make_node("Mul", ["x", "beta"], ["bx"]),
        helper.make_node("Sigmoid", ["bx"], ["s"]),
        helper.make_node("Mul", ["x", "s"], ["y"]),
    ]
    function = helper.make_function(DOMAIN, "Swish", ["x"], ["y"], nodes, [OPSETS[0]])
    function.attribute_proto.append(helper.make_attribute("beta", 1.0))
    return function


def function_file(path: Path) -> Path:
    """A model file that holds nothing but the function of Swish."""
    empty = helper.make_graph([], "functions", [], [])
    onnx.save(
        helper.make_model(empty, opset_imports=OPSETS, functions=[swish_function()], ir_version=8), path
    )
    return path


def python_file(path: Path, body: str, op: str = "Foo") -> Path:
    """An operators file: `body` is that of a function of x."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    head = "import numpy as np\nfrom trtdebug.plugins.operators import operator\n"
    path.write_text(
        f'{head}\n@operator("{op}", "{DOMAIN}", seconds=0.5)\ndef function(x, **attributes):\n{lines}\n'
    )
    return path
