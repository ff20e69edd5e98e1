"""Stored outputs of a trial compared again, sample by sample; nothing runs."""

from __future__ import annotations

from dataclasses import replace

from trtdebug.core.outcome import TensorError
from trtdebug.oracle.compare import compare
from trtdebug.oracle.tolerance import Limits
from trtdebug.session.choices import rejudged
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.tensors import TensorStore


def compared_again(
    store: TensorStore, job: Job, trial: str, tensor: str, limits: Limits
) -> dict[str, TensorError] | None:
    """By sample, of a tensor that a trial kept.

    Args:
        job: says what is expected, and what indices were chosen from.
        trial: hash under which the tensors were kept.

    Returns:
        None where the tensor or the reference's is not stored for every sample.
    """
    kept, expected = TensorRef(tensor, trial), (job.expected or {}).get(tensor)
    if expected is None or not all(store.has(s, r) for s in job.samples for r in (kept, expected)):
        return None
    errors = {}
    for sample in job.samples:
        candidate = store.get(sample, kept)
        error = compare(tensor, store.get(sample, expected), candidate, limits)
        errors[sample] = rejudged(error, replace(job, limits=limits), store, sample, candidate)
    return errors
