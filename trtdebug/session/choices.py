"""Indices that differ between the sides, judged by the stored values that they choose."""

from __future__ import annotations

from trtdebug.backends.base import Tensor
from trtdebug.core.outcome import TensorError
from trtdebug.oracle.indices import judge_choice
from trtdebug.session.job import Job
from trtdebug.session.tensors import TensorStore


def rejudged(error: TensorError, job: Job, store: TensorStore, sample: str, candidate: Tensor) -> TensorError:
    """The error of an expected output, as it is where the output holds indices (see `Job.choices`)."""
    choice, expected = job.choices.get(error.tensor), (job.expected or {}).get(error.tensor)
    if choice is None or expected is None or error.kind != "mismatch" or not store.has(sample, choice.values):
        return error
    reference = store.get(sample, expected)
    if not {reference.dtype.kind, candidate.dtype.kind} <= {"i", "u"}:
        return error
    limits = job.limits.of(choice.values.tensor)
    values = store.get(sample, choice.values)
    return judge_choice(error, reference, candidate, values, choice.axis, choice.keepdims, limits)
