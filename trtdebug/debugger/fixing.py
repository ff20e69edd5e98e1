"""Tries fixes where the pipeline goes so far, and writes the one that holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trtdebug.core.diagnosis import Fix
from trtdebug.core.outcome import Signature
from trtdebug.debugger.notes import Notes
from trtdebug.debugger.pin_flags import pin_flags
from trtdebug.export.folder import export_fix
from trtdebug.stages.context import Progress
from trtdebug.stages.fixing.fix import fix
from trtdebug.stages.localising.enough_pins import with_enough_pins
from trtdebug.stages.localising.localise import NO_SMALLER_PINS, Located
from trtdebug.stages.verdicts.sanity import Sanity

_NOT_LOOKED_FOR = (
    "which of the nodes that only round would have to stay in FP32 was not looked for (`trtdebug fix` does)"
)


def fixes_of(notes: Notes, sane: Sanity, signature: Signature | None, located: Located) -> tuple[Fix, ...]:
    """All fixes that were tried."""
    if notes.until == "localise" or signature is None:
        if located.rounding:
            notes.unknown.append(_NOT_LOOKED_FOR)
        return ()
    with notes.stage("fix"):
        located = with_enough_pins(notes.ctx, located)
        if located.rounding and not located.pins:
            notes.unknown.append(NO_SMALLER_PINS)
        return fix(notes.ctx, signature, located, notes.findings, sane.natural, notes.ctx.case.fix_builds)


def export_verified(
    notes: Notes, fixes: tuple[Fix, ...], folder: Path | None
) -> tuple[str | None, tuple[Fix, ...]]:
    """Writes what production needs for the fix that holds; of several the last, which is the best.

    Args:
        folder: None = fix/ in the session.

    Returns:
        The folder, None where no fix holds, or it could not be written; and the fixes, the one that was written with
        the flags that trtexec takes for it.
    """
    verified = [f for f in fixes if f.verified]
    if not verified:
        return None, fixes
    folder = folder or notes.ctx.session.folder / "fix"
    notes.ctx.report_progress(Progress("export", f"writing {folder}"))
    info, versions = notes.info(notes.ctx.case.candidate), notes.versions
    done = notes.attempt("export", lambda: export_fix(notes.ctx, verified[-1], folder, info, versions))
    if done is None:
        return None, fixes
    told = replace(verified[-1], layer_flags=pin_flags(done))
    return str(folder), tuple(told if fix is verified[-1] else fix for fix in fixes)
