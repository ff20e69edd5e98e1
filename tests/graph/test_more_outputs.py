"""Models that put out more of their tensors."""

from __future__ import annotations

import onnx
import onnx.parser

from trtdebug.graph.more_outputs import with_outputs
from trtdebug.graph.types import TensorType, value_type

MODEL = (
    '<ir_version: 8, opset_import: ["" : 17]> g (float[2, N] x) => (float[2, N] y) { a = Relu(x) y = Neg(a) }'
)


def test_tensors_become_outputs_of_their_type_behind_the_model_s_own() -> None:
    model = onnx.parser.parse_model(MODEL)
    more = with_outputs(model, ["a", "y"])
    onnx.checker.check_model(more, full_check=True)
    assert [value.name for value in more.graph.output] == ["y", "a"]
    assert value_type(more.graph.output[1]) == TensorType("float32", (2, "N"))
    assert len(model.graph.output) == 1
