"""A mark that makes no output is told, and no other."""

from __future__ import annotations

from trtdebug.core.outcome import EngineInfo, Outcome
from trtdebug.stages.engines.unmade_marks import unmade_marks

BUILT = Outcome("pass", engine=EngineInfo("tensorrt", "8.6.0", unmarked=("sizes", "factor")))


def test_a_mark_that_is_no_output_of_the_engine() -> None:
    [found] = unmade_marks(("logits", "sizes"), [Outcome("untestable"), BUILT])
    assert (found.id, found.severity) == ("mark-not-made", "warning")
    assert found.message.startswith("sizes cannot be an output")


def test_where_all_were_made_nothing_is_told() -> None:
    assert unmade_marks(("logits",), [BUILT]) == ()
    assert unmade_marks((), [BUILT]) == ()
