"""What run, bisect, fix and resume share: the pipeline to a given stage, its reports, its exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trtdebug.cli.console import say, say_json
from trtdebug.cli.opening import Opened

if TYPE_CHECKING:
    from trtdebug.debugger import Until


def diagnose(case: Opened, until: Until, as_json: bool, fix_folder: Path | None = None) -> int:
    """Runs the pipeline, writes the reports, prints one. Returns the exit code.

    Args:
        fix_folder: where to export a verified fix; None = fix/ in the session.
    """
    from trtdebug.debugger import Debugger
    from trtdebug.plugins.types import SessionEvent
    from trtdebug.report.build import build_report, exit_code
    from trtdebug.report.text import render_text
    from trtdebug.report.write import write_reports

    case.ctx.session.journal.write("started", until=until)
    diagnosis = Debugger(case.ctx, case.findings, until, fix_folder).run()
    report = build_report(case.ctx.case, diagnosis)
    write_reports(report, case.folder, case.ctx.plugins)
    case.ctx.session.journal.write("finished", verdict=diagnosis.verdict, until=until)
    case.ctx.plugins.emit("session_finished", SessionEvent(case.folder, report))
    if as_json:
        say_json(report)
    else:
        say(render_text(report))
        say(f"session {case.folder}")
    return exit_code(diagnosis.verdict)
