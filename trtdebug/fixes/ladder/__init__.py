"""The fix ladder: what to put in the place of operators that the candidate's parser or builder refuses.

From the cheapest rung on: another opset, equal operators, constants and shapes frozen. The last rung, a plugin of
one's own, is begun by `trtdebug plugin-stub`. A plugin of its own: `-p no:trtdebug.fixes.ladder` leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.plugins.lazy import lazy_fix
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import FixProposer

FIXES: tuple[FixProposer, ...] = (
    lazy_fix(f"{__name__}.opset", "opset", "converts the model to an opset whose operators are taken"),
    lazy_fix(f"{__name__}.replace", "replace-operators", "puts equal operators in the place of refused ones"),
    lazy_fix(
        f"{__name__}.freeze", "freeze", "freezes shapes to those of the samples, so that sizes are constants"
    ),
)


@hookimpl
def trtdebug_fixes() -> Iterable[FixProposer]:
    return FIXES
