"""Which stage follows which: from the first builds to the branch that answers for what they show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.errors import UserError
from trtdebug.core.finding import Finding
from trtdebug.debugger.by_tactics import ByTactics
from trtdebug.debugger.checking import check
from trtdebug.debugger.looking import look_inside
from trtdebug.debugger.low_precision import confirmed, searched, short_way
from trtdebug.debugger.not_built import not_built, without_reference
from trtdebug.debugger.notes import Notes
from trtdebug.debugger.one_sided import one_sided_outputs
from trtdebug.debugger.open_questions import say_that_it_was_not_built, say_what_was_not_tested
from trtdebug.debugger.other_causes import other_causes
from trtdebug.debugger.own_limits import beyond_candidate, say_what_was_not_imitated
from trtdebug.debugger.result import diagnosis_of
from trtdebug.debugger.types import Answer, Until
from trtdebug.stages.context import Context
from trtdebug.stages.engines.flaky import flaky_builds
from trtdebug.stages.engines.unmade_marks import unmade_marks
from trtdebug.stages.other_causes.below_rounding import below_rounding
from trtdebug.stages.unbuilt.refused import why_refused
from trtdebug.stages.verdicts.forced_again import flaky_forced_builds
from trtdebug.stages.verdicts.sanity import Sanity, sanity, with_forced


@dataclass
class Debugger:
    """Runs the pipeline of an open case.

    Attributes:
        findings: what preflight found already.
        until: the last stage to run.
        fix_folder: where to export a verified fix; None = fix/ in the session.
    """

    ctx: Context
    findings: tuple[Finding, ...] = ()
    until: Until = "repro"
    fix_folder: Path | None = None

    def run(self) -> Diagnosis:
        """The diagnosis. What could not be decided stands in `unknown`; it is never guessed."""
        notes = Notes(self.ctx, self.until, self.findings)
        self.ctx.session.listeners.append(lambda job, outcome, cached: notes.engine_of(outcome))
        answer = _answer(notes)
        say_what_was_not_imitated(notes, answer.sane)
        notes.findings += below_rounding(self.ctx, answer.sane.signature) + flaky_forced_builds(self.ctx)
        notes.findings += unmade_marks(self.ctx.case.options.marks, answer.sane.natural)
        return diagnosis_of(notes, answer, self.fix_folder)


def _answer(notes: Notes) -> Answer:
    try:
        with notes.stage("sanity"):
            sane = sanity(notes.ctx)
    except UserError as error:
        check(notes, with_reference=False)
        return without_reference(notes, error)
    notes.findings += sane.findings
    check(notes, with_reference=True)
    notes.findings += one_sided_outputs(notes.ctx)
    if not sane.steady:
        return Answer(sane)
    if beyond := beyond_candidate(notes, sane):
        return beyond
    if sane.natural and (errors := why_refused(notes.ctx, sane.natural)):
        return not_built(notes, sane, errors)
    notes.findings += flaky_builds(sane.natural)
    by_tactics = ByTactics(notes)
    early = _presumed(notes, sane, by_tactics) if sane.presumed else None
    answer = early or _with_forced(notes, sane, by_tactics)
    return replace(answer, fixes=(*by_tactics.unhelpful, *answer.fixes))


def _presumed(notes: Notes, sane: Sanity, by_tactics: ByTactics) -> Answer | None:
    """What can be told before low precision is forced everywhere; None where that is not enough."""
    short = short_way(notes)
    if short is not None:
        return confirmed(notes, sane, short, by_tactics)
    # in FP32 global switches come first
    return by_tactics.answer(sane) if notes.ctx.low is not None else None


def _with_forced(notes: Notes, sane: Sanity, by_tactics: ByTactics) -> Answer:
    ctx = notes.ctx
    with notes.stage("sanity"):
        sane = with_forced(ctx, sane)
    notes.findings += tuple(f for f in sane.findings if f not in notes.findings)
    if sane.verdict == "matches" and ctx.case.candidate_model is not None:
        look_inside(notes)
    if sane.verdict == "untestable" and (errors := why_refused(ctx, sane.natural)):
        return not_built(notes, sane, errors)
    if sane.verdict in ("matches", "untestable"):
        say_what_was_not_tested(notes, sane)
        return Answer(sane)
    if not sane.natural:
        say_that_it_was_not_built(notes)
    if not sane.failing:
        say_what_was_not_tested(notes, sane)
    if sane.searchable:
        return searched(notes, sane, by_tactics)
    return other_causes(notes, sane, by_tactics)
