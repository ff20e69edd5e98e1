"""The branch of what is not built: nothing can be compared, but the part to blame can be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from trtdebug.core.build_error import BuildError
from trtdebug.core.diagnosis import Fix
from trtdebug.core.errors import UserError
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import ReplaceGraph
from trtdebug.core.outcome import Signature
from trtdebug.debugger.checking import explained
from trtdebug.debugger.fixing import fixes_of
from trtdebug.debugger.notes import Notes
from trtdebug.debugger.open_questions import say_what_was_not_tested
from trtdebug.debugger.types import Answer
from trtdebug.fixes.fewer_marks import fewer_marks
from trtdebug.fixes.ladder.helpless import helpless
from trtdebug.scripts.words import shell_word
from trtdebug.stages.localising.localise import Located
from trtdebug.stages.unbuilt.refused import Refused, refused, why_refused
from trtdebug.stages.verdicts.sanity import Sanity


def not_built(notes: Notes, sane: Sanity, errors: tuple[BuildError, ...]) -> Answer:
    """Which nodes, alone, the candidate does not build, and what takes their place."""
    ctx = notes.ctx
    found = notes.attempt("localise", lambda: refused(ctx, errors))
    found = found or Refused(f"the candidate cannot build this model: {errors[0]}")
    notes.unknown += found.unknown
    if not found.of_the_model:
        say_what_was_not_tested(notes, sane)
        return Answer(sane)
    reason = explained(notes, found.reason)
    sane = replace(sane, verdict="untestable", signature=Signature("build-failure"), reason=reason)
    located = Located(found.culprits, None)
    fixes = fixes_of(notes, sane, sane.signature, located)
    notes.findings += tuple(_built_and_wrong(fixes))
    if notes.until != "localise" and not any(f.built for f in fixes):
        notes.findings += tuple(helpless(ctx.model, found.culprits, ctx.case.options.operators))
        notes.findings += tuple(fewer_marks(found.culprits))
    return Answer(sane, located, fixes, unbuilt=found.pieces)


def _built_and_wrong(fixes: Sequence[Fix]) -> Iterator[Finding]:
    """A rewritten model that is built, where what comes out of it is wrong: two things are, and this was the first."""
    for fix in fixes:
        graphs = [i for i in fix.interventions if isinstance(i, ReplaceGraph)]
        if graphs and fix.built and not (fix.verified or fix.untestable):
            yield Finding(
                "built-and-wrong",
                "warning",
                f"With {fix.summary} the candidate builds the model, and there is a second fault: {fix.reason}",
                mitigation=f"`trtdebug run {shell_word(graphs[-1].model)}` with your options goes on from there.",
            )


def without_reference(notes: Notes, error: UserError) -> Answer:
    """The reference can't run, so nothing can be compared; what the candidate does not build can be told."""
    reason = explained(notes, error.message)
    sane = Sanity("untestable", None, reason, ())
    errors = why_refused(notes.ctx, ())
    if not errors:
        return Answer(sane)
    notes.unknown.append(f"{reason}; so the repro and the fixes have nothing to be compared with")
    return not_built(notes, sane, errors)
