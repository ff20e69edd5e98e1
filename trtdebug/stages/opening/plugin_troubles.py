"""What went wrong in extensions: for the findings, the report and the journal."""

from __future__ import annotations

from trtdebug.core.diagnosis import PluginProblem, PluginState
from trtdebug.core.finding import Finding
from trtdebug.core.outcome import Outcome
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.record import Problem
from trtdebug.session.journal import Journal

IMPORT = "import"


def plugin_problems(plugins: PluginManager) -> tuple[Finding, ...]:
    """A finding for each thing that went wrong in a plugin so far."""
    return tuple(
        Finding(
            "extension-failed",
            "warning",
            f"extension {p.plugin} ({f'{p.distribution} {p.version}'.strip()}): {p.hook or IMPORT}: {p.error}",
            mitigation="See `trtdebug ext list`; leave it out with -p no:NAME.",
        )
        for p in plugins.problems
    )


def plugin_states(plugins: PluginManager) -> tuple[PluginState, ...]:
    """Third parties' plugins, with what went wrong in them so far."""
    problems: dict[tuple[str, str], list[PluginProblem]] = {}
    for p in plugins.problems:
        problems.setdefault((p.plugin, p.distribution), []).append(PluginProblem(p.hook or IMPORT, p.error))
    states = [
        PluginState(
            i.name, i.distribution, i.version, i.state, tuple(problems.get((i.name, i.distribution), ()))
        )
        for i in plugins.plugins()
        if not i.builtin
    ]
    named = {(s.name, s.distribution) for s in states}
    versions = {(p.plugin, p.distribution): p.version for p in plugins.problems}
    states += [  # of what is no plugin but a command, or is not there at all
        PluginState(*key, versions[key], "failed", tuple(troubles))
        for key, troubles in problems.items()
        if key not in named
    ]
    return tuple(states)


def keep_in_journal(plugins: PluginManager, journal: Journal) -> None:
    """Writes what went wrong, and what is to go wrong, with its traceback."""

    def write(problem: Problem) -> None:
        journal.write(
            "plugin_problem",
            plugin=problem.plugin,
            distribution=problem.distribution,
            version=problem.version,
            where=problem.hook or IMPORT,
            error=problem.error,
            traceback=problem.traceback,
        )

    for problem in plugins.problems:
        write(problem)
    plugins.listeners.append(write)


def report_metrics(plugins: PluginManager, outcome: Outcome) -> None:
    """Blames the plugins whose metrics went wrong in a trial, each once."""
    for found in plugins.collect("metrics") if outcome.metric_faults else ():
        why = outcome.metric_faults.get(found.value.name)
        if why and not plugins.failure(found.provider):
            plugins.fail(found.provider, f"metric {found.value.name}", why)
