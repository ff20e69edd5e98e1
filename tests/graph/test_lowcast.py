"""Cast surgery, asserted on tensor types and by running it on onnxruntime."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from op_mix_graphs import SEEDS, op_mix
from random_graphs import random_graph

from trtdebug.core.errors import UserError
from trtdebug.graph.load import load_model
from trtdebug.graph.lowcast import Lowering, lowerable, lowering, mixed_precision
from trtdebug.graph.names import name_nodes
from trtdebug.graph.rounding import rounded
from trtdebug.graph.types import graph_types, infer, tensor_types
from trtdebug.graph.walk import bodies

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
OVERFLOWING = ("pow", "var", "eps", "sqrt")
REAL = {  # model -> largest error of FP16 weights and activations, of max |reference|
    "minilm_l6_v4096.onnx": 7e-3,
    "silero_vad_16k_static.onnx": 2e-2,
    "magika_standard_v3_3.onnx": 1e-2,
    "polygraphy/residual_block.onnx": 1e-2,
}


def model_of(nodes, inputs, outputs, weights=(), opset=17) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [value(n, t, s) for n, t, s in inputs],
        [value(n, t, s) for n, t, s in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(model: onnx.ModelProto, feeds) -> dict[str, np.ndarray]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))


def types_of(model: onnx.ModelProto) -> dict[str, str]:
    return {name: kind.dtype for name, kind in tensor_types(model).items()}


def compute_type(model: onnx.ModelProto, node_name: str) -> str:
    """Type of the node's first output, in a model that the checker accepts."""
    onnx.checker.check_model(model, full_check=True)
    node = next(n for n in model.graph.node if n.name == node_name)
    return types_of(model)[node.output[0]]


def chain() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["a"], "mul"),
        helper.make_node("Add", ["a", "w"], ["b"], "add"),
        helper.make_node("Relu", ["b"], ["y"], "relu"),
    ]
    shape = [2, 3]
    weight = np.float32([1.0001, 1e6, 2.0])
    return model_of(nodes, [("x", 1, shape)], [("y", 1, shape)], [("w", weight)])


def test_low_nodes_compute_in_float16_and_the_others_in_float32() -> None:
    low = mixed_precision(chain(), {"mul"}, "fp16")
    assert compute_type(low, "mul") == "float16"
    assert compute_type(low, "add") == "float32"
    assert [i.name for i in low.graph.input] == ["x"]
    assert types_of(low)["x"] == types_of(low)["y"] == "float32"
    assert (low.ir_version, low.opset_import[0].version) == (8, 17)


def test_a_weight_read_both_ways_exists_in_both_types_and_overflows_as_a_cast_does() -> None:
    low = mixed_precision(chain(), {"mul"}, "fp16")
    weights = {w.name: numpy_helper.to_array(w) for w in low.graph.initializer}
    assert weights["w"].dtype == np.float32
    assert weights["w__fp16"].dtype == np.float16
    assert np.isinf(weights["w__fp16"][1])


def test_a_weight_that_only_low_nodes_read_is_replaced() -> None:
    low = mixed_precision(chain(), {"mul", "add"}, "fp16")
    assert [w.name for w in low.graph.initializer] == ["w__fp16"]


def test_casts_are_shared_and_stand_only_at_borders() -> None:
    low = mixed_precision(chain(), {"mul", "add", "relu"}, "fp16")
    casts = [(n.input[0], n.output[0]) for n in low.graph.node if n.op_type == "Cast"]
    assert casts == [("x", "x__fp16"), ("y__fp16", "y")]


def test_values_are_those_of_a_float16_node() -> None:
    x = np.float32([[0.1, 0.0, 3000.0], [1.0, 0.5, 40000.0]])
    low = mixed_precision(chain(), {"mul"}, "fp16")
    with np.errstate(all="ignore"):  # onnxruntime's CPU kernels would compute in float32
        (found,) = ReferenceEvaluator(low).run(None, {"x": x})
    w = np.float32([1.0001, 1e6, 2.0])
    with np.errstate(all="ignore"):
        product = (x.astype(np.float16) * w.astype(np.float16)).astype(np.float32)
        expected = np.maximum(product + w, 0)
    np.testing.assert_array_equal(found, expected)
    assert np.isinf(found[1, 2])  # 40000 * 2 is beyond FP16


def test_bfloat16_types() -> None:
    low = mixed_precision(chain(), {"mul", "add"}, "bf16")
    assert compute_type(low, "mul") == compute_type(low, "add") == "bfloat16"
    assert compute_type(low, "relu") == "float32"


def test_no_low_node_changes_nothing() -> None:
    model = chain()
    assert mixed_precision(model, (), "fp16") == model


def test_an_unknown_node_is_named() -> None:
    with pytest.raises(UserError, match="'nope'"):
        mixed_precision(chain(), {"nope"}, "fp16")


def test_ops_with_fixed_types_stay_in_float32() -> None:
    nodes = [
        helper.make_node("Range", ["start", "limit", "delta"], ["r"], "range"),
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], "quantise"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"], "dequantise"),
        helper.make_node("Resize", ["d", "", "scales"], ["y"], "resize", mode="nearest"),
    ]
    weights = [
        ("start", np.float32(0)),
        ("limit", np.float32(4)),
        ("delta", np.float32(1)),
        ("scale", np.float32(0.1)),
        ("zero", np.int8(0)),
        ("scales", np.float32([1, 1, 2, 2])),
    ]
    model = model_of(
        nodes, [("x", 1, [1, 1, 2, 2])], [("y", 1, [1, 1, 4, 4]), ("r", 1, [4])], weights, opset=13
    )
    names = {n.name for n in nodes}
    assert lowerable(model, names, "fp16") == {"resize"}
    low = mixed_precision(model, names, "fp16")
    assert compute_type(low, "resize") == "float16"
    resize = next(n for n in low.graph.node if n.name == "resize")
    assert resize.input[2] == "scales"  # float32 by schema
    run(low, {"x": np.ones((1, 1, 2, 2), np.float32)})


def test_types_that_stand_in_attributes_follow() -> None:
    nodes = [
        helper.make_node("Cast", ["i"], ["c"], "cast", to=TensorProto.FLOAT),
        helper.make_node(
            "ConstantOfShape",
            ["shape"],
            ["f"],
            "fill",
            value=numpy_helper.from_array(np.float32([2.5])),
        ),
        helper.make_node("ConstantOfShape", ["shape"], ["z"], "zeros"),
        helper.make_node("Constant", [], ["k"], "constant", value_float=0.25),
        helper.make_node("Sum", ["c", "f", "z", "k"], ["y"], "sum"),
    ]
    model = model_of(nodes, [("i", 7, [3])], [("y", 1, [3])], [("shape", np.int64([3]))])
    low = mixed_precision(model, {n.name for n in nodes}, "fp16")
    assert {compute_type(low, n) for n in ("cast", "fill", "zeros", "sum")} == {"float16"}
    assert [n.op_type for n in low.graph.node if n.name == "constant"] == []  # a weight for its reader now
    np.testing.assert_array_equal(run(low, {"i": np.int64([1, 2, 3])})["y"], np.float32([3.75, 4.75, 5.75]))


def test_a_constant_keeps_its_digits_for_a_reader_in_float32() -> None:
    nodes = [
        helper.make_node("Constant", [], ["eps"], "eps", value_float=1e-12),
        helper.make_node("Add", ["x", "eps"], ["y"], "add"),
    ]
    model = model_of(nodes, [("x", 1, [2])], [("y", 1, [2])])
    low = mixed_precision(model, {"eps"}, "fp16")
    assert run(low, {"x": np.zeros(2, np.float32)})["y"][0] == np.float32(1e-12)


def test_comparisons_read_low_and_shapes_do_not_cast() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("Greater", ["r", "x"], ["g"], "greater"),
        helper.make_node("Shape", ["r"], ["s"], "shape"),
    ]
    model = model_of(nodes, [("x", 1, [2])], [("g", 9, [2]), ("s", 7, [1])])
    low = mixed_precision(model, {"relu", "greater", "shape"}, "fp16")
    onnx.checker.check_model(low, full_check=True)
    assert [n.op_type for n in low.graph.node] == ["Cast", "Relu", "Greater", "Shape"]


def if_between() -> onnx.ModelProto:
    """relu -> If, whose branches read what relu gives and a weight -> sqrt."""
    branch = helper.make_graph(
        [helper.make_node("Add", ["r", "w"], ["n"], "add")],
        "then",
        [],
        [helper.make_tensor_value_info("n", 1, [2])],
    )
    other = helper.make_graph(
        [helper.make_node("Constant", [], ["m"], "constant", value_floats=[0.25, 16.0])],
        "else",
        [],
        [helper.make_tensor_value_info("m", 1, [2])],
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("If", ["c"], ["y"], "if", then_branch=branch, else_branch=other),
        helper.make_node("Sqrt", ["y"], ["z"], "sqrt"),
    ]
    inputs = [("x", 1, [2]), ("c", 9, [])]
    return model_of(nodes, inputs, [("z", 1, [2])], [("w", np.float32([1, 2]))])


def test_a_low_if_is_low_in_its_branches_and_casts_what_they_read_around_it() -> None:
    low = mixed_precision(if_between(), {"if", "sqrt"}, "fp16")
    assert [n.op_type for n in low.graph.node] == ["Relu", "Cast", "If", "Sqrt", "Cast"]
    assert compute_type(low, "if") == compute_type(low, "sqrt") == "float16"
    then = next(a.g for a in low.graph.node[2].attribute if a.name == "then_branch")
    assert list(then.node[0].input) == ["r__fp16", "w__fp16"]
    assert [w.name for w in low.graph.initializer] == ["w__fp16"]
    for choice, expected in ((True, [2, 3]), (False, [0.5, 4])):
        found = run(low, {"x": np.float32([3, 7]), "c": np.array(choice)})["z"]
        np.testing.assert_array_equal(found, np.float32(expected))


def test_a_pinned_if_stays_float32_in_its_branches() -> None:
    model = if_between()
    low = mixed_precision(model, {"relu", "sqrt"}, "fp16")
    assert low.graph.node[3].op_type == "If"
    assert low.graph.node[3].attribute == model.graph.node[1].attribute
    assert compute_type(low, "if") == "float32"
    found = run(low, {"x": np.float32([3, 7]), "c": np.array(True)})["z"]
    np.testing.assert_array_equal(found, np.float32([2, 3]))


def scan_of(op: str) -> onnx.ModelProto:
    """Running sum of the rows of x, each first put through `op`."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node(op, ["row"], ["bent"], "bend"),
            helper.make_node("Add", ["s", "bent"], ["t"], "sum"),
        ],
        "body",
        [value("s", 1, [2]), value("row", 1, [2])],
        [value("t", 1, [2]), value("bent", 1, [2])],
    )
    scan = helper.make_node("Scan", ["zero", "x"], ["total", "bents"], "scan", body=body, num_scan_inputs=1)
    outputs = [("total", 1, [2]), ("bents", 1, [3, 2])]
    return model_of([scan], [("x", 1, [3, 2])], outputs, [("zero", np.zeros(2, np.float32))])


def test_a_scan_carries_and_gives_low_tensors() -> None:
    low = mixed_precision(scan_of("Abs"), {"scan"}, "fp16")
    assert compute_type(low, "scan") == "float16"
    found = run(low, {"x": np.float32([[1, -2], [-3, 4], [0, 1]])})
    np.testing.assert_array_equal(found["total"], np.float32([4, 7]))


def test_what_stays_float32_inside_a_low_body_is_told_by_name() -> None:
    model = scan_of("Bernoulli")
    assert lowering(model, {"scan"}, "fp16") == Lowering(
        frozenset({"scan"}),
        {},
        {"scan": {"bend": "another type draws other numbers, or an attribute says the type"}},
    )
    assert compute_type(mixed_precision(model, {"scan"}, "fp16"), "scan") == "float16"


def test_why_a_node_stays_float32() -> None:
    nodes = [
        helper.make_node("Constant", [], ["k"], "constant", value_float=0.25),
        helper.make_node("QuantizeLinear", ["x", "k"], ["q"], "quantise"),
        helper.make_node("DequantizeLinear", ["q", "k"], ["d"], "dequantise"),
        helper.make_node("Det", ["d"], ["e"], "det"),
        helper.make_node("Shape", ["d"], ["s"], "shape"),
        helper.make_node("Odd", ["e"], ["f"], "odd", domain="my.ops"),
        helper.make_node("Neg", ["f"], ["y"], "neg"),
    ]
    model = model_of(nodes, [("x", 1, [2, 2])], [("y", 1, [])])
    found = lowering(model, [n.name for n in nodes], "bf16")
    assert found.low == frozenset()
    assert found.refused == {
        "constant": "a constant: each reader gets it in the type that it wants",
        "quantise": "quantisation: its scales are float32",
        "dequantise": "quantisation: its scales are float32",
        "det": "ONNX has no bf16 for Det in opset 17",
        "shape": "reads only a shape",
        "odd": "an operator of my.ops",
        "neg": "the type of tensor 'f' is unknown",
    }


@pytest.mark.parametrize(("opset", "found"), [(13, "no bf16"), (15, "")])
def test_types_that_must_agree_are_lowered_together_or_not_at_all(opset: int, found: str) -> None:
    """Up to opset 14 the exponent of Pow cannot be bfloat16, though its base can."""
    node = helper.make_node("Pow", ["x", "e"], ["y"], "pow")
    model = model_of([node], [("x", 1, [2]), ("e", 1, [2])], [("y", 1, [2])], opset=opset)
    assert found in lowering(model, {"pow"}, "bf16").refused.get("pow", "")
    assert compute_type(mixed_precision(model, {"pow"}, "bf16"), "pow") == (
        "float32" if found else "bfloat16"
    )
    assert compute_type(mixed_precision(model, {"pow"}, "fp16"), "pow") == "float16"


def test_opsets_whose_cast_does_not_know_the_type_stay() -> None:
    node = helper.make_node("Relu", ["x"], ["y"], "relu")
    old = model_of([node], [("x", 1, [2])], [("y", 1, [2])], opset=5)
    assert lowering(old, {"relu"}, "fp16").refused == {"relu": "opset 5 has no Cast to fp16"}
    twelve = model_of([node], [("x", 1, [2])], [("y", 1, [2])], opset=12)
    assert lowering(twelve, {"relu"}, "bf16").refused == {"relu": "opset 12 has no Cast to bf16"}
    assert lowerable(twelve, {"relu"}, "fp16") == {"relu"}


def test_outputs_keep_names_and_types_whatever_they_are() -> None:
    """Twice the same, a weight, an input, a Constant, and one that others read too."""
    nodes = [
        helper.make_node("Constant", [], ["c"], "constant", value_floats=[1.0, 2.0]),
        helper.make_node("Add", ["x", "c"], ["a"], "add"),
        helper.make_node("Mul", ["a", "w"], ["y"], "mul"),
    ]
    outputs = [(name, 1, [2]) for name in ("y", "y", "w", "x", "c", "a")]
    model = model_of(nodes, [("x", 1, [2])], outputs, [("w", np.float32([1 / 3, 3]))])
    low = mixed_precision(model, {"constant", "add", "mul"}, "fp16")
    assert compute_type(low, "add") == compute_type(low, "mul") == "float16"
    assert list(low.graph.output) == list(model.graph.output)
    _, _, weight, _, _, added = ReferenceEvaluator(low).run(None, {"x": np.float32([0.1, 1])})
    assert weight[0] == np.float32(1 / 3)  # an output is no reader that rounds
    assert added[0] == np.float32(np.float16(0.1) + np.float16(1))


def test_an_initialiser_that_can_be_fed_is_cast_when_it_runs() -> None:
    node = helper.make_node("Add", ["x", "w"], ["y"], "add")
    model = model_of([node], [("x", 1, [2]), ("w", 1, [2])], [("y", 1, [2])], [("w", np.float32([1, 1]))])
    low = mixed_precision(model, {"add"}, "fp16")
    assert [w.name for w in low.graph.initializer] == ["w"]
    found = run(low, {"x": np.float32([1, 1]), "w": np.float32([5, 7])})["y"]
    np.testing.assert_array_equal(found, np.float32([6, 8]))


def test_names_that_are_taken_in_a_body_are_not_taken_again() -> None:
    model = if_between()
    then = next(a.g for a in model.graph.node[1].attribute if a.name == "then_branch")
    then.node[0].output[0] = then.output[0].name = "x__fp16"
    low = mixed_precision(model, {"relu"}, "fp16")
    onnx.checker.check_model(low, full_check=True)
    assert low.graph.node[0].output[0] == "x__fp16_"


def test_omitted_inputs_and_outputs_stay_omitted() -> None:
    nodes = [
        helper.make_node("Clip", ["x", "", "high"], ["c"], "clip"),
        helper.make_node("LSTM", ["c", "w", "r", "", "", "h"], ["", "y"], "lstm", hidden_size=2),
    ]
    weights = [
        ("high", np.float32(0.5)),
        ("w", np.ones((1, 8, 2), np.float32)),
        ("r", np.ones((1, 8, 2), np.float32)),
        ("h", np.zeros((1, 1, 2), np.float32)),
    ]
    model = model_of(nodes, [("x", 1, [3, 1, 2])], [("y", 1, [1, 1, 2])], weights)
    low = mixed_precision(model, {"clip", "lstm"}, "fp16")
    onnx.checker.check_model(low, full_check=True)
    lstm = next(n for n in low.graph.node if n.name == "lstm")
    assert list(lstm.input[3:]) == ["", "", "h__fp16"]
    assert list(lstm.output) == ["", "y__fp16"]
    feeds = {"x": np.ones((3, 1, 2), np.float32)}
    np.testing.assert_allclose(run(low, feeds)["y"], run(model, feeds)["y"], rtol=2e-3)


def test_layernorm_statistics_keep_their_type() -> None:
    node = helper.make_node("LayerNormalization", ["x", "s"], ["y", "mean", "inv"], "ln")
    model = model_of(
        [node], [("x", 1, [2, 4])], [("y", 1, [2, 4]), ("mean", 1, [2, 1])], [("s", np.ones(4, np.float32))]
    )
    low = mixed_precision(model, {"ln"}, "fp16")
    assert compute_type(low, "ln") == "float16"
    assert types_of(low)["mean"] == "float32"


@pytest.mark.parametrize("name", REAL)
def test_real_models_run_in_float16_within_rounding(name: str, model_path: Callable[[str], Path]) -> None:
    model = load_model(model_path(name))
    low = mixed_precision(model, [n.name for n in model.graph.node], "fp16")
    # residual_block declares its output as a scalar: its own shapes do not check.
    onnx.checker.check_model(low, full_check=name != "polygraphy/residual_block.onnx")
    lowered = lowerable(model, [n.name for n in model.graph.node], "fp16")
    kinds = types_of(low)
    by_name = {n.name: n for n in low.graph.node}
    source = types_of(model)
    for node in model.graph.node:
        if node.name in lowered and source[node.output[0]] == "float32":
            assert kinds[by_name[node.name].output[0]] == "float16", node.name
    feeds = random_feeds(model)
    reference = run(model, feeds)
    found = run(low, feeds)
    for output, expected in reference.items():
        assert found[output].dtype == expected.dtype
        assert np.abs(found[output] - expected).max() <= REAL[name] * np.abs(expected).max()
        assert np.abs(found[output] - expected).max() > 0  # it did compute in another precision


CULPRITS = tuple(f"{norm}_{part}" for norm in ("b3_ln1", "b3_ln2", "lnf") for part in OVERFLOWING)
FRAGILE = frozenset(
    {"Pow", "ReduceMean", "ReduceSum", "Sqrt", "Softmax", "LayerNormalization", "Exp", "LSTM"}
)
PINNED: dict[str, Callable[[onnx.NodeProto], bool]] = {
    "attention": lambda node: node.name in CULPRITS,
    "magika_standard_v3_3.onnx": lambda node: node.name.endswith(
        ("LayerNorm_1/Sum_1", "LayerNorm_1/truediv_1")
    ),
    "minilm_l6_v4096.onnx": lambda node: node.op_type in FRAGILE,
    "silero_vad_16k_static.onnx": lambda node: node.op_type in FRAGILE,
}
"""The pins of a diagnosis, or what people pin by habit."""


@pytest.mark.parametrize("name", PINNED)
def test_real_models_with_pins_compute_in_the_types_asked_for(
    name: str, model_path: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in REAL:
        model = load_model(model_path(name))
    else:
        monkeypatch.syspath_prepend(str(SAMPLES))
        model = importlib.import_module(name).build()
        name_nodes(model)
    pins = {n.name for n in model.graph.node if PINNED[name](n)}
    wanted = {n.name for n in model.graph.node} - pins
    low = mixed_precision(model, wanted, "fp16")
    onnx.checker.check_model(low, full_check=True)
    chosen = lowerable(model, wanted, "fp16")
    assert_types(model, low, chosen, "float16")
    types = types_of(model)
    floats = {n.name for n in model.graph.node if float_types(n, types) and n.op_type != "Constant"}
    assert len(chosen) > 0.8 * len(floats - pins)
    feeds = random_feeds(model)
    reference, found = run(model, feeds), run(low, feeds)
    for output, expected in reference.items():
        assert found[output].dtype == expected.dtype
        assert np.abs(found[output] - expected).max() <= REAL.get(name, 1e-2) * np.abs(expected).max()


def random_feeds(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    feeds = {}
    weights = {w.name for w in model.graph.initializer}
    for value in model.graph.input:
        if value.name in weights:
            continue
        kind = tensor_types(model)[value.name]
        shape = [d if isinstance(d, int) and d > 0 else 4 for d in kind.shape or ()]
        if kind.dtype.startswith("int"):
            high = 2 if "mask" in value.name or "type" in value.name else 100
            feeds[value.name] = rng.integers(1, high, shape).astype(kind.dtype)
        else:
            feeds[value.name] = rng.random(shape).astype(kind.dtype)
    return feeds


# random graphs ----------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 25),
    share=st.sampled_from([0.3, 0.7, 1.0]),
    dtype=st.sampled_from(["fp16", "bf16"]),
)
def test_the_numbers_are_those_of_the_emulator_to_the_bit(seed: int, size: int, share: float, dtype) -> None:
    """Elementwise nodes round alike, whether their types are low or their values rounded; overflow included."""
    model = random_graph(seed, size, loops=True)
    name_nodes(model)
    random = np.random.default_rng(seed)
    wanted = {n.name for n in model.graph.node if random.random() < share}
    low = mixed_precision(model, wanted, dtype)
    onnx.checker.check_model(low, full_check=True)
    emulated = rounded(model, lowerable(model, wanted, dtype), dtype)
    assert not emulated.left_out
    feeds = {
        name: random.normal(0, scale, (4, 4)).astype(np.float32) for name, scale in (("x", 100), ("y", 10))
    }
    with np.errstate(all="ignore"):
        found = ReferenceEvaluator(low).run(None, feeds)
        expected = ReferenceEvaluator(emulated.model).run(None, feeds)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", SEEDS)
def test_op_mixes_with_random_pins_compute_in_the_types_asked_for(seed: int) -> None:
    mix = op_mix(seed)
    model = mix.model
    name_nodes(model)
    random = np.random.default_rng(seed)
    wanted = {n.name for n in model.graph.node if random.random() < (0.5, 1.0)[seed % 2]}
    chosen = lowerable(model, wanted, "fp16")
    low = mixed_precision(model, wanted, "fp16")
    onnx.checker.check_model(low, full_check=True)
    assert_types(model, low, chosen, "float16")
    reference, found = run(model, mix.feeds), run(low, mix.feeds)
    emulated = run(rounded(model, chosen, "fp16").model, mix.feeds)
    # One INT8 step more or less, or a determinant near 0, is worth more than the roundings before it.
    tolerance = 2e-2 if mix.quantised or mix.lacking else 3e-3
    for name, expected in reference.items():
        assert found[name].dtype == expected.dtype
        scale = np.linalg.norm(expected)
        assert np.linalg.norm(found[name] - expected) <= tolerance * scale
        assert np.linalg.norm(found[name] - emulated[name]) <= tolerance * scale


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_op_mixes_in_bfloat16_are_valid(seed: int) -> None:
    model = op_mix(seed).model
    name_nodes(model)
    names = [n.name for n in model.graph.node]
    low = mixed_precision(model, names, "bf16")
    onnx.checker.check_model(low, full_check=True)
    assert_types(model, low, lowerable(model, names, "bf16"), "bfloat16")


def assert_types(source: onnx.ModelProto, low: onnx.ModelProto, chosen: frozenset[str], narrow: str) -> None:
    """Float tensors of nodes in `chosen`, and of their bodies, are narrow; those of all other nodes are float32."""
    inferred, types = infer(low).graph, types_of(low)
    names = {n.name for n in source.graph.node}
    full = set()
    for node in inferred.node:
        if node.name not in names or node.op_type == "Shape":
            continue
        here = float_types(node, types)
        if node.op_type == "Resize" and node.name in chosen:
            here.discard("float32")  # its scales
        assert here <= ({narrow} if node.name in chosen else {"float32"}), node.name
        full |= here
    assert narrow in full


def float_types(node: onnx.NodeProto, around: dict[str, str]) -> set[str]:
    """Types of the float tensors that a node, and the nodes in its bodies, read and write; no Casts and Constants."""
    found = {around[t] for t in (*node.input, *node.output) if t}
    for body in bodies(node):
        types = around | {name: kind.dtype for name, kind in graph_types(body).items()}
        for inner in body.node:
            if inner.op_type not in ("Cast", "Constant"):
                found |= float_types(inner, types)
    return {kind for kind in found if "float" in kind}
