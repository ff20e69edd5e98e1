"""Types behind operators that nobody knows."""

from __future__ import annotations

import onnx
import onnx.parser
import pytest
from seed_models import mnist, unknown_operator

from trtdebug.graph.implied_types import complete_types
from trtdebug.graph.types import TensorType, tensor_types

HEAD = '<ir_version: 8, opset_import: ["" : 13, "c" : 1]> '


def types(text: str, **shapes: tuple[int, ...]) -> dict[str, TensorType]:
    return complete_types(onnx.parser.parse_model(HEAD + text), shapes)


def test_a_readers_own_output_tells_the_type_and_shape() -> None:
    assert complete_types(unknown_operator())["b"] == TensorType("float32", (1, 3, 5, 5))


def test_what_is_behind_the_reader_is_inferred_again() -> None:
    found = types(
        "g (float[4] x) => (float[4] y) { a = c.Custom(x) b = Relu(a) d = Relu(b) e = Abs(d) y = Neg(e) }"
    )
    assert {found[name] for name in "abde"} == {TensorType("float32", (4,))}


@pytest.mark.parametrize(
    ("reader", "type_"),
    [
        ("y = Conv(b, w)", TensorType("float32", (None,) * 4)),
        ("y = Gemm(b, v)", TensorType("float32", (None, None))),
        ("z = Conv(x, w) y = Add(z, b)", TensorType("float32", None)),  # of any rank up to 4
        ("y = Reshape(x, b)", TensorType("int64", None)),
        ("y = Where(b, x, x)", TensorType("bool", None)),
        ("y = ReduceMean(b) z = Add(y, x)", TensorType("float32", None)),
        ("y = Cast <to = 1> (b)", None),
        ("y = c.Custom(b)", None),
    ],
)
def test_no_more_is_said_than_what_must_be(reader: str, type_: TensorType | None) -> None:
    weights = "<float[2,3,1,1] w, float[7,2] v>"
    found = types(f"g (float[1,3,4,4] x) => (y) {weights} {{ b = c.Custom(x) {reader} }}")
    assert found.get("b") == type_


def test_a_broadcast_to_a_higher_rank_tells_the_rank() -> None:
    found = types("g (float[3] x) => (float[2,3] y) { b = c.Custom(x) y = Add(b, x) }")
    assert found["b"] == TensorType("float32", (None, None))


def test_given_shapes_hold() -> None:
    text = "g (float[n] x) => (float y) { a = c.Custom(x) b = Add(a, a) d = Relu(b) y = Det(d) }"
    assert types(text)["a"] == TensorType("float32", None)
    found = types(text, a=(2, 2), x=(8,))
    assert (found["a"].shape, found["d"].shape, found["x"].shape) == ((2, 2), (2, 2), (8,))


def test_where_all_is_known_it_is_what_inference_says() -> None:
    model = mnist()
    assert complete_types(model) == tensor_types(model)


def test_the_model_stays_as_it_is() -> None:
    model = unknown_operator()
    before = model.SerializeToString()
    complete_types(model)
    assert model.SerializeToString() == before
