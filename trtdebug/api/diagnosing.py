"""The pipeline on an open case, and its reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trtdebug.api.opening import Opened
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.debugger import Debugger, Until
from trtdebug.plugins.types import SessionEvent
from trtdebug.report.build import build_report
from trtdebug.report.html.details import keep_details
from trtdebug.report.write import write_reports
from trtdebug.stages.opening.plugin_troubles import plugin_problems, plugin_states


@dataclass(frozen=True)
class Diagnosed:
    """A diagnosis and the content of its report.json."""

    diagnosis: Diagnosis
    report: Mapping[str, Any]


def diagnose(case: Opened, until: Until, fix_folder: Path | None = None) -> Diagnosed:
    """Runs the pipeline, writes the reports and tells the extensions.

    Args:
        until: the last stage to run.
        fix_folder: where to export a verified fix; None = fix/ in the session.
    """
    session, plugins = case.ctx.session, case.ctx.plugins
    session.journal.write("started", until=until)
    diagnosis = Debugger(case.ctx, case.findings, until, fix_folder).run()
    report = build_report(case.ctx.case, diagnosis)
    keep_details(case.folder, case.ctx.case, report, case.ctx.index, case.ctx.types)
    known = len(plugins.problems)
    write_reports(report, case.folder, plugins)
    session.journal.write("finished", verdict=diagnosis.verdict, until=until)
    plugins.emit("session_finished", SessionEvent(case.folder, report))
    if late := plugin_problems(plugins)[known:]:  # what went wrong in these two is to be told, too
        findings = (*diagnosis.findings, *late)
        diagnosis = replace(diagnosis, findings=findings, plugins=plugin_states(plugins))
        report = build_report(case.ctx.case, diagnosis)
        write_reports(report, case.folder, plugins, builtin_only=True)
    return Diagnosed(diagnosis, report)
