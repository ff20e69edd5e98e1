"""Names for what breaks a worker."""

from __future__ import annotations

import signal

import pytest

from trtdebug.core.exits import exit_words
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.session.death import held_too_much, of_death, spoiled, took_too_long
from trtdebug.session.limits import WorkerLimits


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit code 0"),
        (3, "exit code 3"),
        (-signal.SIGSEGV, "SIGSEGV (segmentation fault)"),
        (-signal.SIGABRT, "SIGABRT (aborted)"),
        (-signal.SIGKILL, "SIGKILL (killed from outside; for want of memory, perhaps)"),
        (-signal.SIGUSR1, "SIGUSR1"),
        (-40, "signal 40"),
    ],
)
def test_every_end_has_words(code, words):
    assert exit_words(code) == words


def test_a_death_for_want_of_memory_is_told_by_the_log():
    said = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"
    assert of_death(-6, said).signature == Signature("memory")
    assert of_death(-6, "assertion failed").signature == Signature("crash")
    assert of_death(None, "").reason == "the worker died: it closed its answer pipe"


GPU_MEMORY, HOST_MEMORY, CUDA = "out of GPU memory", "out of host memory", "CUDA error"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        # TensorRT
        (GPU_MEMORY, "1: [defaultAllocator.cpp::allocate::20] Error Code 1: Cuda Runtime (out of memory)"),
        (GPU_MEMORY, "2: [virtualMemoryBuffer.cpp::resizePhysical::140] Error Code 2: OutOfMemory (none)"),
        (GPU_MEMORY, "Requested amount of GPU memory (1073741824 bytes) could not be allocated."),
        (CUDA, "1: Error Code 1: Cuda Runtime (an illegal memory access was encountered)"),
        # polygraphy, cuda-python, onnxruntime-gpu
        (CUDA, "PolygraphyException: CUDA Error: 700. To figure out what this error code means, refer to"),
        (CUDA, "RuntimeError: (<cudaError_t.cudaErrorLaunchFailure: 719>,)"),
        (GPU_MEMORY, "RuntimeError: cudaErrorMemoryAllocation: cudaMalloc failed"),
        (GPU_MEMORY, "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0"),
        (GPU_MEMORY, "CUDA failure 2: out of memory ; GPU=0 ; hostname=h"),
        # the host
        (HOST_MEMORY, "MemoryError: "),
        (HOST_MEMORY, "_ArrayMemoryError: Unable to allocate 16.0 EiB for an array"),
        (HOST_MEMORY, "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc"),
    ],
)
def test_errors_after_which_the_process_is_of_no_use(name, said):
    named = spoiled(Outcome("untestable", Signature("build-failure"), said, node="conv"))
    kind = "crash" if name == CUDA else "memory"
    assert (named.signature, named.reason, named.node) == (Signature(kind), f"{name}: {said}", "conv")


LOG = """[TensorRT WARNING] Tactic Device request: 4GB Available: 1GB. Device memory is insufficient: out of memory
[TensorRT ERROR] 2: [virtualMemoryBuffer.cpp::resizePhysical::144] Error Code 2: OutOfMemory (no further information)
[TensorRT ERROR] 10: Could not find any implementation for node conv.
"""


def test_the_log_tells_what_went_wrong_first():
    outcome = Outcome("untestable", Signature("build-failure"), "no implementation for node conv")
    assert spoiled(outcome) is None
    assert spoiled(outcome, LOG).reason == "out of GPU memory: no implementation for node conv"
    assert spoiled(outcome, LOG.splitlines()[0]) is None  # a tactic that does not fit is only passed over
    nothing = Outcome("untestable", Signature("crash"), "TypeError: factory function returned nullptr")
    failure = "[TensorRT WARNING] CUDA initialization failure with error: {}. Please check your installation."
    assert spoiled(nothing, failure.format(2)).reason.startswith("out of GPU memory: ")
    assert spoiled(nothing, failure.format(999)).reason.startswith("CUDA error: ")


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(
            "untestable", Signature("build-failure"), "10: Could not find any implementation for node conv."
        ),
        Outcome("untestable", Signature("crash"), "ZeroDivisionError: division by zero"),
        Outcome("untestable", None, "the engine computes 'memory_gate' in another precision than asked."),
        Outcome("fail", Signature("mismatch"), "out of memory"),
        Outcome("pass"),
    ],
)
def test_other_outcomes_leave_the_worker_in_use(outcome):
    assert spoiled(outcome) is None


def test_limits_are_told_with_the_option_that_raises_them():
    limits = WorkerLimits(1800, 8 << 30)
    assert took_too_long(limits).reason == "no answer within 1800 s (--timeout allows more)"
    assert held_too_much(9 << 30, limits).reason == (
        "out of host memory: the worker held 9 GiB, more than 8 GiB (--worker-memory allows more)"
    )
