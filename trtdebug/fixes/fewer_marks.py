"""What to do where it is the user's own marks that are not built: no change of the model is called for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdebug.core.diagnosis import Culprit
from trtdebug.core.finding import Finding

_ALONE = "Leave it out, or mark a tensor before or behind it in its place (--mark TENSOR)."
_TOGETHER = (
    "Leave one of them out. To read all, build more than once, each time with some marked (--mark TENSOR)."
)


def fewer_marks(culprits: Iterable[Culprit]) -> Iterator[Finding]:
    """A finding for each set of tensors that are not built as outputs."""
    for tensors in (culprit.tensors for culprit in culprits if culprit.tensors):
        if len(tensors) == 1:
            message, advice = f"{tensors[0]} cannot be an output of the engine", _ALONE
        else:
            message = f"{len(tensors)} tensors cannot be outputs of one engine together: {', '.join(tensors)}"
            advice = _TOGETHER
        yield Finding("marks-not-built", "info", message, tensors[0], advice)
