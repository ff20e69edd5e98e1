"""Built-in fix proposers, registered through the same hook as third parties' are."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.fixes.fusion import break_fusions, mark_tensors
from trtdebug.fixes.knobs import turn_knobs
from trtdebug.fixes.pins import pin_culprits
from trtdebug.fixes.tactics import ban_tactics
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import FixProposer


@hookimpl
def trtdebug_fixes() -> Iterable[FixProposer]:
    return (
        FixProposer("pin-culprits", "pins the smallest set of nodes that has to work in FP32", pin_culprits),
        FixProposer("turn-knobs", "sets the global builder switches that cure the case", turn_knobs),
        FixProposer(
            "break-fusions",
            "keeps tensors out of the fusions that go wrong, by neutral nodes in the graph",
            break_fusions,
        ),
        FixProposer(
            "mark-tensors", "makes outputs of the tensors whose marking cures the case", mark_tensors
        ),
        FixProposer("ban-tactics", "keeps the builder from the tactics that fail", ban_tactics),
    )
