"""`trtdebug.debug`: the main job as a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from typing_extensions import Unpack

from trtdebug.api.arguments import CaseArguments, FilePath, path_of
from trtdebug.api.diagnosing import diagnose
from trtdebug.api.opened_case import TellProgress, opened_case
from trtdebug.api.refusals import refuse_taken, refuse_unwritable
from trtdebug.api.result import DebugResult
from trtdebug.api.values import one_of
from trtdebug.debugger import Until

if TYPE_CHECKING:
    import onnx


def debug(
    model: FilePath | onnx.ModelProto,
    *,
    until: Until = "repro",
    session: FilePath | None = None,
    fix_folder: FilePath | None = None,
    progress: TellProgress | None = None,
    **case: Unpack[CaseArguments],
) -> DebugResult:
    """Takes a model that goes wrong to its smallest cause, a verified fix and a repro. Prints nothing.

    The session folder that it leaves is that of `trtdebug run`: `trtdebug report`, `resume` and the like read it.

        result = trtdebug.debug("model.onnx", fp16=True, inputs={"x": x})
        result.verdict          # "matches", "fragile", "diverges" or "untestable"
        result.culprits[0].nodes
        result.fix.summary      # None where none holds
        result                  # in a notebook: the report

    Args:
        model: path of an ONNX file, or a model in memory.
        until: the last stage to run: `"localise"` (the cause), `"fix"` or `"repro"`.
        session: session folder; a finished trial in it is never done again. Default: a new one, `.trtdebug/<id>`.
        fix_folder: where to write what production needs for the verified fix. Default: `fix/` in the session.
        progress: called with what is about to be done (stage, message, nodes and trials left).
        **case: how the candidate is built, fed and judged; see `CaseArguments`.

    Raises:
        UserError: something that was given does not exist, can't be read or does not fit; one sentence and a hint.
    """
    one_of(get_args(Until)).taken("until", until)
    fix = path_of("fix_folder", fix_folder) if fix_folder is not None else None
    if fix is not None:
        from trtdebug.export.manifest import MANIFEST

        refuse_unwritable(fix, "fix", "fix_folder")
        refuse_taken(fix, MANIFEST, "fix folder")
    with opened_case(model, session, progress, case) as opened:
        done = diagnose(opened, until, fix)
        return DebugResult(done.diagnosis, opened.folder, done.report)
