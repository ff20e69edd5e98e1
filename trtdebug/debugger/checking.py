"""Preflight within the pipeline: the model's checks, and the reasons that they explain."""

from __future__ import annotations

from trtdebug.debugger.notes import Notes
from trtdebug.stages.opening.run_checks import run_checks


def check(notes: Notes, with_reference: bool) -> None:
    """All checks; `with_reference`: the reference is known to run, so they may ask for its values."""
    with notes.stage("preflight"):
        found = run_checks(notes.ctx, with_reference)
    notes.findings = tuple(dict.fromkeys((*notes.findings, *found)))


def explained(notes: Notes, reason: str) -> str:
    """The reason with the first error that the checks found in the model, where there is one and it does not say it.

    Of the model as it stands: what its values do, as the reference computes them, keeps nobody from building it.
    """
    if all(f.severity != "error" for f in notes.findings):
        return reason
    static = run_checks(notes.ctx, with_reference=False)
    broken = next((f for f in static if f.severity == "error"), None)
    return reason if broken is None or broken.message in reason else f"{reason} ({broken.message})"
