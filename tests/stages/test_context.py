"""Where the reference cannot run the model, one piece of advice is given: the one that fits."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from cases import open_case

from trtdebug.core.errors import UserError


def refusal(text: str, folder: Path, **request: object) -> UserError:
    """What is said of a model in ONNX's text format, with one node `n`."""
    model = onnx.parser.parse_model(text)
    model.graph.node[0].name = "n"
    with pytest.raises(UserError) as caught:
        open_case(model, folder, candidate="emulator", **request).record()
    return caught.value


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (
            '<ir_version: 8, opset_import: ["" : 17]> g (bfloat16[4] x) => (bfloat16[4] y) { y = Erf(x) }',
            "with name 'n'. It computes in bfloat16",
        ),
        (
            '<ir_version: 3, opset_import: ["" : 5]> g (float[4] x) => (float[4] y) { y = Relu(x) }',
            "with name 'n'. The model's opset is 5",
        ),
        (
            '<ir_version: 8, opset_import: ["" : 17, "my" : 1]> g (float[4] x) => (float[4] y) { y = my.Foo(x) }',
            "(node 'n'). Give one with --operators FILE",
        ),
    ],
)
def test_what_the_reason_says_is_a_sentence_of_its_own_and_not_said_twice(
    text: str, advice: str, tmp_path: Path
) -> None:
    error = refusal(text, tmp_path)
    assert advice in error.message
    assert error.hint == ""


def test_inputs_that_do_not_fit_are_to_be_looked_at(tmp_path: Path) -> None:
    text = (
        '<ir_version: 8, opset_import: ["" : 17]> g (float[4, 3] x, int64[2] i) => (float[2, 3] y) '
        "{ y = Gather <axis = 0> (x, i) }"
    )
    error = refusal(text, tmp_path, ranges=["i:[9,10]"])
    assert "out of data bounds" in error.message
    assert "--val-range" in error.hint
