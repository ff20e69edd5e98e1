"""What is said to do about marks that are not built."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx.parser
import pytest
from marked_graphs import RefusesMarks, opened

from trtdebug.debugger import Debugger
from trtdebug.report.build import build_report
from trtdebug.report.text import render_text

DET = """<ir_version: 8, opset_import: ["" : 17]> g (float[2, 2] x) => (float y)
    { a = Relu(x) b = Det(a) c = Neg(b) y = Abs(c) }"""


@pytest.mark.parametrize(
    ("refused", "message", "advice"),
    [
        ({"b"}, "b cannot be an output of the engine", "Leave it out, or mark a tensor before or behind it"),
        (
            {"b", "c"},
            "2 tensors cannot be outputs of one engine together: b, c",
            "Leave one of them out. To read",
        ),
    ],
)
def test_the_user_is_told_which_marks_to_leave_out_and_no_operator_is_replaced(
    refused: set[str], message: str, advice: str, tmp_path: Path
) -> None:
    onnx.save(onnx.parser.parse_model(DET), tmp_path / "model.onnx")
    backend = RefusesMarks(frozenset(), marks=frozenset({frozenset(refused)}))
    ctx = opened(backend, ("a", "b", "c"), tmp_path / "model.onnx", tmp_path / "session")
    diagnosis = Debugger(ctx, until="fix").run()
    [finding] = [f for f in diagnosis.findings if f.id == "marks-not-built"]
    assert finding.message == message
    assert finding.mitigation.startswith(advice)
    assert advice in render_text(build_report(ctx.case, diagnosis))
    assert not [f for f in diagnosis.findings if f.id == "no-equivalent"]
    assert diagnosis.fixes == ()
