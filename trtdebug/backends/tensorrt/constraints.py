"""From precisions that bind to ones that are wishes, step by step, when TensorRT cannot build what was asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from trtdebug.backends.tensorrt.blame import named_layers
from trtdebug.core.errors import BuildFailure
from trtdebug.core.words import NAMED, listed_with_reasons


class OutOfGpuMemory(BuildFailure):
    """A build for which the GPU had no memory: no word on what was asked, so nothing is to be relaxed for it."""


Constraints = Literal["obey", "prefer"]
ROUNDS = 4
"""Builds that may fail before all constraints become wishes."""


def build_constrained(
    attempt: Callable[[Constraints], Any],
    errors: Callable[[], Collection[str]],
    layers: Mapping[str, int],
    free: Callable[[Collection[int]], None],
) -> tuple[Any, str]:
    """Builds with OBEY; layers that TensorRT blames get their freedom one after the other; then with PREFER.

    Args:
        attempt: builds once; raises BuildFailure.
        errors: what TensorRT said in the last attempt.
        layers: index by name, of the layers that have a precision set.
        free: takes the set precision from these layers.

    Returns:
        what `attempt` gives, and one line about what had to be relaxed; empty where nothing was.

    Raises:
        BuildFailure: of the last attempt.
        OutOfGpuMemory: of the first attempt that met it; no further one is made.
    """
    freed: dict[str, str] = {}
    for _ in range(ROUNDS):
        try:
            return attempt("obey"), _freed_note(freed)
        except OutOfGpuMemory:
            raise
        except BuildFailure as failure:
            strict = failure
        blamed = [name for name in named_layers(errors(), layers) if name not in freed]
        if not blamed:
            break
        free([layers[name] for name in blamed])
        freed.update(dict.fromkeys(blamed, strict.message))
    return attempt("prefer"), _preferred_note(freed, strict.message)


def _freed_note(freed: Mapping[str, str]) -> str:
    if not freed:
        return ""
    return f"precision constraints of {len(freed)} layer(s) dropped: {listed_with_reasons(freed, NAMED)}"


def _preferred_note(freed: Mapping[str, str], reason: str) -> str:
    note = f"precision constraints relaxed from OBEY to PREFER: {reason}"
    return f"{note}; {_freed_note(freed)}" if freed else note
