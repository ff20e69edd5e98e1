"""Cast surgery, asserted on tensor types and by running it on onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from trtdebug.core.errors import UserError
from trtdebug.graph.load import load_model
from trtdebug.graph.lowcast import lowerable, mixed_precision
from trtdebug.graph.types import tensor_types

MODELS = Path(__file__).resolve().parents[2] / ".." / "shared" / "models"
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


def test_bodies_of_control_flow_stay_float32_and_get_what_they_capture() -> None:
    branch = helper.make_graph(
        [helper.make_node("Neg", ["r"], ["n"], "neg")],
        "then",
        [],
        [helper.make_tensor_value_info("n", 1, [2])],
    )
    other = helper.make_graph(
        [helper.make_node("Abs", ["r"], ["m"], "abs")],
        "else",
        [],
        [helper.make_tensor_value_info("m", 1, [2])],
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("If", ["c"], ["y"], "if", then_branch=branch, else_branch=other),
        helper.make_node("Sqrt", ["y"], ["z"], "sqrt"),
    ]
    model = model_of(nodes, [("x", 1, [2]), ("c", 9, [])], [("z", 1, [2])])
    low = mixed_precision(model, {"relu", "if", "sqrt"}, "fp16")
    onnx.checker.check_model(low, full_check=True)
    assert lowerable(model, {"relu", "if", "sqrt"}, "fp16") == {"relu", "sqrt"}
    found = run(low, {"x": np.float32([4, 9]), "c": np.array(False)})["z"]
    np.testing.assert_array_equal(found, np.float32([2, 3]))


def test_layernorm_statistics_keep_their_type() -> None:
    node = helper.make_node("LayerNormalization", ["x", "s"], ["y", "mean", "inv"], "ln")
    model = model_of(
        [node], [("x", 1, [2, 4])], [("y", 1, [2, 4]), ("mean", 1, [2, 1])], [("s", np.ones(4, np.float32))]
    )
    low = mixed_precision(model, {"ln"}, "fp16")
    assert compute_type(low, "ln") == "float16"
    assert types_of(low)["mean"] == "float32"


@pytest.mark.parametrize("name", REAL)
def test_real_models_run_in_float16_within_rounding(name: str) -> None:
    path = MODELS / name
    if not path.is_file():
        pytest.skip(f"{path.name} is not here")
    model = load_model(path)
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
