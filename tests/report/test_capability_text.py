"""The report of `trtdebug capability`."""

from __future__ import annotations

from pathlib import Path

from trtdebug.core.build_error import BuildError
from trtdebug.report.capability_text import capability_data, render_capability
from trtdebug.stages.capability.case import Examined, Ran
from trtdebug.stages.capability.segments import Capability, Segment

REFUSED = BuildError("parse", "not\x1b taken " + "x" * 1000, "UNSUPPORTED_NODE", "n1", "NonZero")
PARTS = (Segment("supported", ("a", "c"), 0, 2), Segment("unsupported", ("n1",), 1, 1, (REFUSED,)))


def examined(found: Capability, **more) -> Examined:
    return Examined(
        Path("model.onnx"), "0" * 64, 3, "tensorrt-rtx", "1.7", found, None, **{"runs": {}, **more}
    )


def test_a_model_that_is_taken_is_one_line() -> None:
    whole = Segment("supported", ("a", "b", "c"), 0, 2)
    found = examined(Capability("supported", (), (whole,), whole, True, 1))
    assert render_capability(found) == "model.onnx: tensorrt-rtx 1.7 takes the whole model (3 nodes).\n"


def test_segments_reasons_and_the_largest() -> None:
    found = examined(
        Capability("unsupported", (REFUSED,), PARTS, PARTS[0], False, 4),
        runs={"plan.json": Ran(False, "y: other values")},
        notes=("a note",),
    )
    text = render_capability(found)
    assert "0-2 *      2  supported" in text
    assert "* other segments have nodes between these" in text
    assert "node 'n1' (NonZero): UNSUPPORTED_NODE: not\\x1b taken" in text
    assert text.count("x" * 50) < 30  # the reason is cut; capability.json has all of it
    assert "largest supported subgraph that is known: 2 of 3 nodes, nodes 0-2, not all of them" in text
    assert "outside of it: n1" in text
    assert "note: a note" in text
    assert "plan.json on onnxruntime: OTHER outputs: y: other values" in text


def test_the_data() -> None:
    data = capability_data(examined(Capability("unsupported", (REFUSED,), PARTS, PARTS[0], True, 4)))
    assert (data["schema"], data["verdict"], data["questions"]) == (1, "unsupported", 4)
    assert data["segments"][1]["errors"][0]["message"] == REFUSED.message
    assert (data["largest"]["nodes"], data["largest"]["outside"]) == (["a", "c"], ["n1"])
    assert (data["segments"][0]["contiguous"], data["folder"], data["plans"]) == (False, None, [])


def test_no_answer_is_said_to_be_none() -> None:
    why = BuildError("timeout", "no answer within 2 s")
    text = render_capability(examined(Capability("unknown", (why,), (), None, False, 1)))
    assert text.startswith("model.onnx: tensorrt-rtx 1.7 gives no answer on the model (3 nodes).\n")
    assert "no answer within 2 s" in text
