"""Random graphs with pairs anywhere: switching layers to float is the same as taking their pairs out."""

from __future__ import annotations

import random

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper
from trtdebug_quant.bench import Bench
from trtdebug_quant.floating import unquantised
from trtdebug_quant.layers import find_layers
from trtdebug_quant.runner import Runner

from trtdebug.graph.names import name_nodes
from trtdebug.graph.view import GraphView

CONSTANTS = "<float s = {0.04}, float u = {0.02}, int8 z = {0}, uint8 z8 = {100}, uint8 z0 = {0}>"


def pair(rng: random.Random, tensor: str, to: str) -> str:
    scale, zero = rng.choice([("s", "z"), ("u", "z8"), ("s", "z0"), ("u", "z")])
    return f"{to}_q = QuantizeLinear({tensor}, {scale}, {zero}) {to} = DequantizeLinear({to}_q, {scale}, {zero}) "


def graph(seed: int) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """A Q/DQ model, and the same without pairs: x float32 [3, 4], two or three outputs.

    A pair with zero point 0 in UINT8 clips what is negative; its float counterpart is a Relu.
    """
    rng = random.Random(seed)
    made = ["x"]
    body, plain = "", ""
    values = {}
    for i in range(rng.randint(4, 9)):
        op = rng.choice(["MatMul", "Add", "Relu", "Tanh", "Transpose", "If", "Mul"])
        first = rng.choice(made)
        source, floats = first, first
        if rng.random() < 0.6:
            source, floats = f"d{i}", f"f{i}"
            text = pair(rng, first, source)
            body += text
            plain += f"{floats} = {'Relu' if 'z0' in text else 'Identity'}({first}) "
        lines = {
            "MatMul": "t{i} = MatMul({a}, w{i}) ",
            "Add": "t{i} = Add({a}, {b}) ",
            "Mul": "t{i} = Mul({a}, {a}) ",
            "Relu": "t{i} = Relu({a}) ",
            "Tanh": "t{i} = Tanh({a}) ",
            "Transpose": "v{i} = Transpose({a}) r{i} = Transpose(v{i}) t{i} = Tanh(r{i}) ",
            "If": "t{i} = If(yes) <then_branch = b{i} () => (float[3, 4] p{i}) {{ p{i} = Neg({a}) }}, "
            "else_branch = e{i} () => (float[3, 4] o{i}) {{ o{i} = Abs({a}) }}> ",
        }
        second = rng.choice(made)
        body += lines[op].format(i=i, a=source, b=second)
        # what a body reads stays quantised: its pair is no operand of the If
        plain += lines[op].format(i=i, a=floats, b=second)
        if op == "MatMul":
            values[f"w{i}"] = np.random.default_rng(seed * 100 + i).normal(0, 0.5, (4, 4)).astype(np.float32)
        made.append(f"t{i}")
    outputs = list(dict.fromkeys([made[-1], *rng.sample(made[1:], 2)]))
    ends = []
    for k, name in enumerate(outputs):
        text = pair(rng, name, f"y{k}") if rng.random() < 0.4 else f"y{k} = Identity({name}) "
        body += text
        plain += f"y{k} = {'Relu' if 'z0' in text and 'Quantize' in text else 'Identity'}({name}) "
        ends.append(f"float[3, 4] y{k}")
    made_models = []
    for text in (body, plain):
        model = onnx.parser.parse_model(
            f'<ir_version: 8, opset_import: ["" : 17]> g (float[3, 4] x) => ({", ".join(ends)}) '
            f"{CONSTANTS[:-1]}, bool yes = {{1}}> {{ {text} }}"
        )
        model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in values.items())
        name_nodes(model)
        made_models.append(model)
    return made_models[0], made_models[1]


def run(model: onnx.ModelProto, x: np.ndarray) -> dict[str, np.ndarray]:
    onnx.checker.check_model(model, full_check=True)
    runner = Runner(model)
    return runner.run({"x": x}, runner.outputs)


def same(one, other):
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("seed", range(30))
def test_switches_and_rewritten_models_agree(seed: int) -> None:
    model, plain = graph(seed)
    view = GraphView(model)
    layers = find_layers(view)
    if not layers:
        pytest.skip("no pair in this one")
    x = np.random.default_rng(seed).normal(size=(3, 4)).astype(np.float32)
    bench = Bench(view, None, {"x": x})
    names = [layer.node for layer in layers]
    same(bench.run({"x": x}, names, bench.ends), run(model, x))
    rng = random.Random(seed)
    for _ in range(3):
        chosen = rng.sample(layers, rng.randint(0, len(layers)))
        on = set(names) - {layer.node for layer in chosen}
        same(bench.run({"x": x}, on, bench.ends), run(unquantised(view, chosen, None), x))
    if "If" not in [node.op_type for node in model.graph.node]:
        same(run(unquantised(view, layers, None), x), run(plain, x))
