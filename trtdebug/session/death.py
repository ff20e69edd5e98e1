"""What breaks a worker, by its name: signals, exits, and errors after which the process is of no use."""

from __future__ import annotations

import re
from dataclasses import replace

from trtdebug.core.exits import exit_words
from trtdebug.core.gpu_memory import OUT_OF_GPU_MEMORY
from trtdebug.core.outcome import Outcome, Signature, SignatureKind
from trtdebug.session.limits import WorkerLimits, size_words

_HOST_MEMORY = re.compile(r"MemoryError|bad_alloc|Cannot allocate memory")
# After most of these every later CUDA call of the process fails, too ("sticky" errors of the CUDA runtime).
_CUDA = re.compile(
    r"cudaError[A-Z]|CUDA_ERROR_|CUDA error|CUDA Error|Cuda Runtime \(|Cuda Driver \(|illegal memory access"
    r"|illegal address|misaligned address|unspecified launch failure|device-side assert|uncorrectable ECC"
    r"|_STATUS_EXECUTION_FAILED|_STATUS_INTERNAL_ERROR|CUDA initialization failure"
)
_ERROR_LINE = re.compile(r"^.*(?:ERROR\]|CUDA initialization failure).*$", re.MULTILINE)
_SPOILING: tuple[tuple[re.Pattern[str], SignatureKind, str], ...] = (
    (OUT_OF_GPU_MEMORY, "memory", "out of GPU memory"),
    (_HOST_MEMORY, "memory", "out of host memory"),
    (_CUDA, "crash", "CUDA error"),
)


def took_too_long(limits: WorkerLimits) -> Outcome:
    """The outcome of a trial without an answer in time."""
    reason = f"no answer within {limits.seconds:g} s (--timeout allows more)"
    return Outcome("untestable", Signature("timeout"), reason)


def held_too_much(held: int, limits: WorkerLimits) -> Outcome:
    """The outcome of a trial whose worker held this many bytes."""
    reason = f"out of host memory: the worker held {size_words(held)}, more than {size_words(limits.memory)}"
    return Outcome("untestable", Signature("memory"), f"{reason} (--worker-memory allows more)")


def of_death(code: int | None, log: str) -> Outcome:
    """The outcome of a trial whose worker died.

    Args:
        code: `Popen.returncode`; None: it lives, but has closed the pipe that it answers by.
        log: the end of what it printed.
    """
    how = "it closed its answer pipe" if code is None else exit_words(code)
    if _HOST_MEMORY.search(log):
        return Outcome("untestable", Signature("memory"), f"out of host memory: the worker died: {how}")
    return Outcome("untestable", Signature("crash"), f"the worker died: {how}")


def spoiled(outcome: Outcome, log: str = "") -> Outcome | None:
    """The outcome under its right name where it leaves a process that is not to be used again; else None.

    Args:
        log: the end of the trial's log: the reason is the last thing that went wrong, not always the first.
    """
    if outcome.status != "untestable" or outcome.signature is None:
        return None
    said = "\n".join((outcome.reason, *_ERROR_LINE.findall(log)))
    for pattern, kind, name in _SPOILING:
        if pattern.search(said):
            return replace(outcome, signature=Signature(kind), reason=f"{name}: {outcome.reason}")
    return None
