"""Built-in graph rewrites, one file each, imported when needed; registered through the same hook as third parties' are.

A plugin of its own: `-p no:trtdebug.fixes.rewrites` leaves them out, and `-p no:trtdebug.fixes` all other fixes.
"""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.plugins.lazy import lazy_fix
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import FixProposer


def _proposer(name: str, summary: str) -> FixProposer:
    return lazy_fix(f"{__name__}.{name.replace('-', '_')}", name, summary)


FIXES: tuple[FixProposer, ...] = (
    _proposer("scaled-square", "scales before the square of LayerNorm, RMSNorm and their like"),
    _proposer("softmax", "Softmax in place of exp over its sum"),
    _proposer("masks", "brings masks before a Softmax into FP16's range"),
    _proposer("clip", "Clip in place of Min and Max"),
    _proposer("pairs", "drops Squeeze and Unsqueeze, Transposes and Reshapes that undo each other"),
    _proposer("narrow-int64", "narrows INT64 constants to INT32, and gives exponents the type of their base"),
    _proposer("loop-condition", "gives Loops without a condition one that is true"),
    _proposer("fold-constants", "computes nodes that read only constants"),
)


@hookimpl
def trtdebug_fixes() -> Iterable[FixProposer]:
    return FIXES
