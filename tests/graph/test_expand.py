"""Bodies in the place of operators: those that ONNX has, at every opset, in branches, with names and weights kept."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest
from expanding import assert_expanded, assert_kept
from onnx import defs
from rewriting import kinds, model_of

from trtdebug.graph.expand import BodyDraft, Call, expand, schema_bodies
from trtdebug.graph.walk import all_nodes

ONLY_ONNX = (schema_bodies,)
OPERATORS = [
    "Celu", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LogSoftmax", "Mish", "ReduceL1", "ReduceL2",
    "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare", "Selu", "Shrink", "Softmax", "Softplus", "Softsign",
    "Swish", "ThresholdedRelu",
]  # fmt: skip


def first_opset(op: str) -> int:
    return min(
        s.since_version for s in defs.get_all_schemas_with_history() if s.name == op and s.domain == ""
    )


@pytest.mark.parametrize(
    ("op", "opset"), [(op, o) for op in OPERATORS for o in (13, 17, 18, 20, 23) if o >= first_opset(op)]
)
def test_where_onnx_has_a_body_it_gives_the_same(op: str, opset: int) -> None:
    schema = defs.get_schema(op, opset)
    model = model_of(f"y = {op}(x)", [2, 3, 4], opset=opset)
    bodies = [*schema.function_opset_versions, *schema.context_dependent_function_opset_versions]
    if not bodies:
        return assert_kept(model, {op}, ONLY_ONNX)
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    assert_expanded(model, {op}, {"x": np.abs(x) if op == "ReduceLogSum" else x}, ONLY_ONNX)
    return None


@pytest.mark.parametrize("body", ["y = Celu<alpha=2.0>(x)", "y = Shrink<lambd=0.1, bias=0.3>(x)"])
def test_attributes_are_kept(body: str) -> None:
    x = np.random.default_rng(0).normal(size=(50,)).astype(np.float32)
    op = "Celu" if "Celu" in body else "Shrink"
    assert_expanded(model_of(body, [50], opset=18), {op}, {"x": x}, ONLY_ONNX)


def test_attention_and_cross_entropy() -> None:
    rng = np.random.default_rng(0)
    model = model_of("y = Attention(x, x, x)", [1, 2, 4, 8], opset=23)
    assert_expanded(model, {"Attention"}, {"x": rng.normal(size=(1, 2, 4, 8)).astype(np.float32)}, ONLY_ONNX)
    model = model_of("y = SoftmaxCrossEntropyLoss(x, t)", [3, 4], opset=13, inputs="int64[3] t")
    feeds = {"x": rng.normal(size=(3, 4)).astype(np.float32), "t": np.array([0, 3, 1])}
    assert_expanded(model, {"SoftmaxCrossEntropyLoss"}, feeds, ONLY_ONNX)


def no_cast_like(model: onnx.ModelProto) -> bool:
    return not any(node.op_type == "CastLike" for node in all_nodes(model.graph.node))


@pytest.mark.parametrize("dtype", ["float", "float16", "double"])
def test_a_body_casts_to_the_type_that_is_known(dtype: str) -> None:
    assert b"CastLike" in defs.get_schema("Shrink", 18).get_function_with_opset_version(18)
    model = model_of("y = Shrink(x)", [4], opset=18, dtype=dtype, outputs=f"{dtype} y")
    numbers = onnx.helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
    result = assert_expanded(model, {"Shrink"}, {"x": np.array([-2, 0, 0.4, 3], numbers)}, ONLY_ONNX)
    to = {n.attribute[0].i for n in result.graph.node if n.op_type == "Cast"}
    assert to == {model.graph.input[0].type.tensor_type.elem_type}
    assert no_cast_like(result)


def test_types_that_only_the_body_tells_are_known_too() -> None:
    model = model_of("y = AffineGrid(x, s)", [2, 2, 3], opset=20, inputs="int64[4] s")
    feeds = {"x": np.float32([[[1, 0, 0], [0, 1, 0.5]]] * 2), "s": np.array([2, 1, 3, 4])}
    assert no_cast_like(assert_expanded(model, {"AffineGrid"}, feeds, ONLY_ONNX))


def test_a_cast_like_of_the_model_stays_and_is_replaced_where_it_is_wanted() -> None:
    model = model_of("h = CastLike(i, x) k = Selu(h) y = CastLike(k, x)", [3], opset=17, inputs="int32[3] i")
    found = expand(model, lambda call: call.op == "Selu")
    assert found is not None
    likes = [node.name for node in found.model.graph.node if node.op_type == "CastLike"]
    assert likes == ["node_of_h", "node_of_y"]
    feeds = {"x": np.float32([0, 0, 0]), "i": np.int32([-1, 0, 2])}
    assert no_cast_like(assert_expanded(model, {"CastLike"}, feeds))


def test_a_cast_like_of_an_unknown_type_stays() -> None:
    text = """<ir_version: 8, opset_import: ["" : 18, "own" : 1]> g (float[3] x) => (y) {
        h = own.Made(x) y = Selu(h) }"""
    found = expand(onnx.parser.parse_model(text), lambda call: call.op == "Selu")
    assert found is not None
    assert not no_cast_like(found.model)


def test_in_branches_the_inner_tensor_of_an_outer_name_counts() -> None:
    text = """y = If (c) <
        then_branch = a () => (float[3] t) { h = Celu<alpha = 2.0>(x) t = Neg(h) },
        else_branch = b () => (float[3] e) { e = Identity(x) }>"""
    model = model_of(text, [3], inputs="bool c")
    for c in (True, False):
        x = np.array([-1, 0.5, 3], np.float32)
        result = assert_expanded(model, {"Celu"}, {"x": x, "c": np.array(c)}, ONLY_ONNX)
    assert kinds(result) == ["If"]


def test_in_branches_bodies_cast_to_the_known_type() -> None:
    text = """y = If (c) <
        then_branch = a () => (float[3] t) { h = Selu(x) t = Neg(h) },
        else_branch = b () => (float[3] e) { e = Identity(x) }>"""
    model = model_of(text, [3], opset=18, inputs="bool c")
    feeds = {"x": np.float32([-1, 0.5, 3]), "c": np.array(True)}
    assert no_cast_like(assert_expanded(model, {"Selu"}, feeds, ONLY_ONNX))


def test_other_nodes_and_weights_stay_and_unread_weights_go() -> None:
    model = model_of(
        "h = Mul(x, w) [act] c = Celu(h) y = Clip(c, lo)",
        [2000],
        {"w": np.arange(2000, dtype=np.float32), "lo": np.float32(0.5)},
    )
    found = expand(model, lambda call: call.op in ("Celu", "Clip"))
    assert found is not None
    assert [c.node.name for c in found.calls] == ["act", "node_of_y"]
    mul = found.model.graph.node[0]
    assert (mul.name, list(mul.output)) == ("node_of_h", ["h"])
    assert found.model.graph.node[-1].output[0] == "y"
    assert "c" in {t for n in found.model.graph.node for t in n.output}
    assert {i.name for i in found.model.graph.initializer} == {"w", "lo"}
    assert found.model.graph.initializer[0] == model.graph.initializer[0]


def test_a_body_that_is_not_clean_or_of_another_type_is_not_taken() -> None:
    model = model_of("y = Relu(x)", [4])

    def another_type(call: Call) -> list[onnx.FunctionProto]:
        draft = BodyDraft(call)
        draft.cast(draft.inputs[0], "int32", writes=draft.outputs[0])
        return [draft.done()]

    def no_operator(call: Call) -> list[onnx.FunctionProto]:
        draft = BodyDraft(call)
        draft.op("NoSuchOperator", draft.inputs[0], writes=draft.outputs[0])
        return [draft.done()]

    assert_kept(model, {"Relu"}, (another_type, no_operator))


def test_what_has_no_body_is_told() -> None:
    model = model_of("h = Celu(x) y = Det(h)", [3, 3])
    found = expand(model, lambda call: call.op in ("Celu", "Det"))
    assert found is not None
    assert [call.op for call in found.left] == ["Det"]
    assert expand(model, lambda call: call.op == "Det") is None
