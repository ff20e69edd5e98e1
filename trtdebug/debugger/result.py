"""The diagnosis: an answer, what goes with it (fix folder, repro), and what was noted on the way."""

from __future__ import annotations

from pathlib import Path

from trtdebug import __version__
from trtdebug.core.diagnosis import Diagnosis, ExtensionInfo, TrialCounts
from trtdebug.core.finding import Finding
from trtdebug.debugger.fixing import export_verified
from trtdebug.debugger.notes import Notes
from trtdebug.debugger.repros import repro_of
from trtdebug.debugger.types import Answer
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.observing.divergence import first_divergence
from trtdebug.stages.opening.plugin_troubles import plugin_problems, plugin_states
from trtdebug.stages.verdicts.output_verdicts import output_verdicts


def diagnosis_of(notes: Notes, answer: Answer, fix_folder: Path | None) -> Diagnosis:
    """Writes the fix folder and the repro, where there are any, and puts everything together."""
    ctx, sane = notes.ctx, answer.sane
    ctx.session.drop_engines()
    culprits = answer.located.culprits if answer.located else ()
    proven = [n for c in culprits if c.proven and c.kind != "build" for n in c.nodes]
    alone = [n for n in proven if answer.located and n in answer.located.alone]
    divergence = first_divergence(ctx, alone or proven, answer.observation, answer.propagated)
    folder, fixes = export_verified(notes, answer.fixes, fix_folder)
    repro = repro_of(notes, answer) if notes.until == "repro" else None
    counts = ctx.session.counts
    return Diagnosis(
        verdict=sane.verdict,
        signature=sane.signature,
        reason=sane.reason,
        rule=ctx.limits.describe(),
        reference=notes.info(ctx.case.reference),
        candidate=notes.info(ctx.case.candidate),
        builds=len(sane.natural),
        failed_builds=sum(o.status == "fail" for o in sane.natural),
        untested_builds=sum(o.status == "untestable" for o in sane.natural),
        first_divergence=divergence,
        culprits=culprits,
        fixes=fixes,
        fix_folder=folder,
        repro=repro,
        findings=notes.findings + plugin_problems(ctx.plugins) + _worker_troubles(ctx.session),
        unknown=tuple(dict.fromkeys((*notes.unknown, *_skipped(ctx)))),
        stages=tuple(notes.stages),
        trials=TrialCounts(
            counts.total, counts.builds, counts.cached, counts.untestable, round(counts.seconds, 3)
        ),
        outputs=output_verdicts(ctx, sane),
        trtdebug=__version__,
        extensions=_extensions(ctx.plugins),
        plugins=plugin_states(ctx.plugins),
    )


def _skipped(ctx: Context) -> tuple[str, ...]:
    """What the user took for untestable is not known."""
    nodes, trials = len(ctx.skipped), len(ctx.session.skips.trials)
    lines = [f"{nodes} node(s) were skipped: whether they are a cause is not known"] if nodes else []
    return (*lines, *([f"{trials} trial(s) were skipped"] if trials else []))


def _extensions(plugins: PluginManager) -> tuple[ExtensionInfo, ...]:
    """Distributions of third parties that are active, each once."""
    active = (p for p in plugins.plugins() if not p.builtin and p.state == "active")
    return tuple(dict.fromkeys(ExtensionInfo(p.distribution, p.version) for p in active))


def _worker_troubles(session: Session) -> tuple[Finding, ...]:
    """What broke workers, in an interrupted run of this session, too."""
    restarts = (e for e in session.journal.read() if e["event"] == "worker_restarted")
    found = (
        Finding(
            "worker-restarted",
            "warning",
            f"in the trial {e['purpose']!r} the worker of {e['backend']} had to be replaced: {e['reason']}",
            mitigation=f"The log is in the session's trials/{e['trial']}.",
        )
        for e in restarts
    )
    return tuple(dict.fromkeys(found))
