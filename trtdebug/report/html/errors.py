"""Errors of single tensors, gathered from the trials in which they were seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trtdebug.report.html.trials import Trial

_SEEN_THROUGH = ("ForcePrecision", "PinPrecision", "MarkOutputs")
"""Interventions under which the error of a node by itself is still that of low precision."""
_WHOLE = ("ForcePrecision", "MarkOutputs")
"""Those under which an error in the whole candidate is."""


@dataclass(frozen=True)
class SeenError:
    """The error of a tensor in a trial.

    Attributes:
        rms: ||c - r|| / ||r|| over the elements that are finite on both sides.
        nonfinite: elements that are NaN or Inf on one side only.
        max_abs: max |c - r|.
        status: verdict by the tolerance.
        kept_as: (trial, name) under which the candidate's values may be stored.
    """

    rms: float
    nonfinite: int
    max_abs: float
    status: str
    kept_as: tuple[str, str] = ("", "")


@dataclass
class Errors:
    """Errors by tensor, as far as the trials that were added tell.

    Attributes:
        models: SHA-256 of the case's models; only builds of these are the whole candidate.
        local: of nodes by themselves, fed with the reference's inputs, as the candidate computes them.
        foreseen: the same as another backend foresaw it, before the candidate was asked.
        marked: in the whole candidate, with the tensor marked as an output.
        plain: outputs of the whole candidate.
        limit: relative RMS error that the tolerance allows; None where it has no such number.
    """

    models: frozenset[str] = frozenset()
    local: dict[str, SeenError] = field(default_factory=dict)
    foreseen: dict[str, SeenError] = field(default_factory=dict)
    marked: dict[str, SeenError] = field(default_factory=dict)
    plain: dict[str, SeenError] = field(default_factory=dict)
    limit: float | None = None

    @property
    def propagated(self) -> dict[str, SeenError]:
        """In the whole candidate."""
        return {**self.plain, **self.marked}

    def add(self, trial: Trial) -> None:
        """Takes in what a trial tells; of several that tell of a tensor the first counts in which it is wrong."""
        job = trial.job
        is_candidate = job["role"] == "candidate"
        limits = job["limits"]
        if is_candidate and self.limit is None and limits["atol"] is None and limits["rtol"] is None:
            self.limit = float(limits["rms"])
        if is_candidate and trial.of_kinds(*_SEEN_THROUGH):
            _add(self.local, _alone(trial))
        elif job["isolated"] and job["backend"] != "onnxruntime":
            _add(self.foreseen, _alone(trial))
        if is_candidate and job["model_sha256"] in self.models and trial.of_kinds(*_WHOLE):
            _add(self.plain if job["outputs"] is None else self.marked, _whole(trial))


def _add(known: dict[str, SeenError], seen: Iterable[tuple[str, SeenError]]) -> None:
    for tensor, error in seen:
        if tensor not in known or (error.status == "fail" and known[tensor].status != "fail"):
            known[tensor] = error


def _alone(trial: Trial) -> Iterator[tuple[str, SeenError]]:
    """Of tensors that an isolated node writes, under another name than in the model."""
    alone = {
        name: ref["tensor"] for name, ref in (trial.job["expected"] or {}).items() if name != ref["tensor"]
    }
    for error in trial.outcome["tensors"] if alone else ():
        if error["tensor"] in alone:
            yield alone[error["tensor"]], _seen(error, trial.sha256)


def _whole(trial: Trial) -> Iterator[tuple[str, SeenError]]:
    """Of tensors of the whole model, in a build that shows the failure."""
    if trial.status != "fail" and trial.job["outputs"] is not None:
        return  # with these marks the failure is gone: this is another engine
    for error in trial.outcome["tensors"]:
        yield error["tensor"], _seen(error, trial.sha256)


def _seen(error: Mapping[str, Any], trial: str) -> SeenError:
    return SeenError(
        float(error["rms_rel"]),
        int(error["nonfinite"]),
        float(error["max_abs"]),
        str(error["status"]),
        (trial, str(error["tensor"])),
    )
