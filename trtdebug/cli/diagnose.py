"""What run, bisect, fix and resume share: the pipeline to a given stage, its reports, its exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trtdebug.api.opening import Opened
from trtdebug.cli.console import say, say_json, say_report

if TYPE_CHECKING:
    from trtdebug.debugger import Until


def diagnose(case: Opened, until: Until, as_json: bool, fix_folder: Path | None = None) -> int:
    """Runs the pipeline, writes the reports, prints one. Returns the exit code.

    Args:
        fix_folder: where to export a verified fix; None = fix/ in the session.
    """
    from trtdebug.api.diagnosing import diagnose as run
    from trtdebug.report.build import exit_code
    from trtdebug.report.text import render_text

    done = run(case, until, fix_folder)
    if as_json:
        say_json(done.report)
    else:
        say_report(render_text(done.report))
        say(f"session {case.folder}")
        if (page := case.folder / "report.html").is_file():
            say(f"page    {page}, for a browser")
    return exit_code(done.diagnosis.verdict)
