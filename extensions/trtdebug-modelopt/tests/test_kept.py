"""Reading off a mixed model which nodes of the original still compute in FP32; all models made by hand."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper
from trtdebug_modelopt.kept import Kept, kept_nodes, union

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
WEIGHTS = (
    "<float[1] w = {3.0}, float[1] s = {2.0}, float[1] b = {1.0}, float two = {2.0}, float[1] eps = {1e-5}>"
)
ENDS = "(float[4, 8] x) => (float[4, 8] y)"
NORM = """
    m = ReduceMean <axes = [-1]> (a) d = Sub(a, m) p = Pow(d, two) v = ReduceMean <axes = [-1]> (p)
    e = Add(v, eps) r = Sqrt(e) q = Div(d, r)
"""


def model(body: str, ends: str = ENDS) -> onnx.ModelProto:
    """Its nodes are called by what they write, "n_a" for the one that writes `a`; Casts that AutoCast adds, too."""
    parsed = onnx.parser.parse_model(f"{HEAD} g {ends} {WEIGHTS} {{ {body} }}")
    for node in parsed.graph.node:
        node.name = f"n_{node.output[0].removesuffix('_pre_cast')}"
        if node.op_type == "Cast" and node.output[0] == "y":
            node.name = "y_cast_to_fp32"
    return parsed


def low(body: str, ends: str = ENDS) -> onnx.ModelProto:
    """The same with weights in FP16."""
    parsed = model(body, ends)
    for tensor in parsed.graph.initializer:
        halved = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(halved, tensor.name))
    return parsed


def test_by_the_types_between_the_casts() -> None:
    original = model("a = Mul(x, w) c = Exp(a) y = Relu(c)")
    mixed = model(
        """a = Mul(x, w) a_16 = Cast <to = 10> (a) c = Exp(a_16) y_pre_cast = Relu(c) y = Cast <to = 1> (y_pre_cast)"""
    )
    assert kept_nodes(original, mixed) == Kept(("n_a",), ())


def test_stale_declarations_do_not_count() -> None:
    original = model("a = Mul(x, w) y = Relu(a)")
    mixed = low("x_16 = Cast <to = 10> (x) a = Mul(x_16, w) f = Cast <to = 1> (a) y = Relu(f)")
    mixed.graph.value_info.append(onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, [4, 8]))
    assert kept_nodes(original, mixed).nodes == ("n_y",)


def test_what_writes_no_float_goes_by_what_it_reads() -> None:
    ends = "(float[4, 8] x) => (bool[4, 8] y)"
    original = model("a = Mul(x, w) y = Greater(a, w)", ends)
    mixed = low("x_16 = Cast <to = 10> (x) a = Mul(x_16, w) y = Greater(a, w)", ends)
    assert kept_nodes(original, mixed).nodes == ()
    assert kept_nodes(original, original).nodes == ("n_a", "n_y")


def test_constants_and_integers_have_no_precision() -> None:
    body = "c = Constant <value_floats = [1.0]> () h = Shape(x) i = Cast <to = 6> (h) y = Add(x, c)"
    same = model(body)
    assert kept_nodes(same, same).nodes == ("n_y",)


def test_a_cast_that_vanished_is_not_kept() -> None:
    original = model("a = Cast <to = 1> (x) y = Relu(a)")
    assert kept_nodes(original, model("y = Relu(x)")).nodes == ("n_y",)


@pytest.mark.parametrize(
    ("scaling", "inputs"),
    [
        ("t = Mul(q, s) z = Add(t, b)", "s, b"),
        ("z = Mul(q, s)", "s"),
    ],
)
def test_a_fused_layernorm_stands_for_its_nodes(scaling: str, inputs: str) -> None:
    original = model(f"a = Relu(x) {NORM} {scaling} y = Exp(z)")
    fused = model(
        f"x_16 = Cast <to = 10> (x) a = Relu(x_16) a_32 = Cast <to = 1> (a) "
        f"z = LayerNormalization(a_32, {inputs}) z_16 = Cast <to = 10> (z) y_pre_cast = Exp(z_16) "
        "y = Cast <to = 1> (y_pre_cast)"
    )
    _called(fused, "z", "LayerNorm_n_m")
    every = tuple(n.name for n in original.graph.node)[1:-1]
    assert kept_nodes(original, fused) == Kept(every, ())


@pytest.mark.parametrize(
    ("stash", "statistics"), [("", True), ("<stash_type = 1>", True), ("<stash_type = 10>", False)]
)
def test_a_fused_layernorm_in_low_precision_keeps_its_statistics(stash: str, statistics: bool) -> None:
    original = model(f"a = Relu(x) {NORM} t = Mul(q, s) y = Add(t, b)")
    fused = low(
        "x_16 = Cast <to = 10> (x) a = Relu(x_16) "
        f"y_pre_cast = LayerNormalization {stash} (a, s, b) y = Cast <to = 1> (y_pre_cast)"
    )
    _called(fused, "y_pre_cast", "LayerNorm_n_m")
    inner = ("n_m", "n_d", "n_p", "n_v", "n_e", "n_r", "n_q")
    assert kept_nodes(original, fused) == Kept((), inner if statistics else ())


def test_what_a_fused_node_reads_is_not_in_it() -> None:
    original = model("a = Relu(x) c = Exp(a) d = Neg(c) y = Add(d, a)")
    other = model("a = Relu(x) y = Celu(a)")  # stands for Exp, Neg and Add, whatever it computes
    _called(other, "y", "made by AutoCast")
    assert kept_nodes(original, other).nodes == ("n_a", "n_c", "n_d", "n_y")
    other = model("x_16 = Cast <to = 10> (x) a = Relu(x_16) f = Cast <to = 1> (a) y = Celu(f)")
    _called(other, "y", "made by AutoCast")
    assert kept_nodes(original, other).nodes == ("n_c", "n_d", "n_y")


def test_union_keeps_the_models_order() -> None:
    assert union(("c", "a"), ("b", "c"), ("a", "b", "c", "d")) == ("a", "b", "c")


def _called(changed: onnx.ModelProto, tensor: str, name: str) -> None:
    next(n for n in changed.graph.node if n.output[0] == tensor).name = name
