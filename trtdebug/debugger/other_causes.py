"""The branch of all else: not a matter of low precision alone, or not only.

Global switches come first, then tactics, then the first wrong tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trtdebug.core.diagnosis import Culprit
from trtdebug.core.intervention import Knob
from trtdebug.core.outcome import Outcome
from trtdebug.debugger.by_tactics import ByTactics
from trtdebug.debugger.fixing import fixes_of
from trtdebug.debugger.looking import failing_tensors
from trtdebug.debugger.notes import Notes
from trtdebug.debugger.open_questions import say_why_not_searched
from trtdebug.debugger.types import Answer
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_skeleton
from trtdebug.stages.context import Context
from trtdebug.stages.localising.localise import Located
from trtdebug.stages.observing.propagate import Propagated, first_failing
from trtdebug.stages.other_causes.axes import axes, told
from trtdebug.stages.other_causes.narrow import Narrowed, bracket, heisenbug, narrow, suspected
from trtdebug.stages.other_causes.unfuse import fewest_marks
from trtdebug.stages.repeated import enough
from trtdebug.stages.verdicts.sanity import Sanity


def other_causes(notes: Notes, sane: Sanity, by_tactics: ByTactics) -> Answer:
    """What makes the candidate fail where precision alone does not."""
    ctx = notes.ctx
    say_why_not_searched(notes, sane)
    with notes.stage("axes"):
        switches = axes(ctx, sane.natural, ctx.case.fix_builds)
    notes.findings += switches.findings
    knobs = switches.cure
    answer = None if knobs else by_tactics.answer(sane)
    if answer is not None:
        return answer
    notes.unknown += by_tactics.undecided
    failing = next((o for o in sane.natural if o.status == "fail"), None)
    if failing is not None and _must_not_be_perturbed(ctx):
        return _narrowed(notes, sane, failing, knobs)
    only_forced = not sane.failing and sane.forced is not None and sane.forced.status == "fail"
    interventions = ctx.exposing(ctx.items) if only_forced else ()
    propagated = failing_tensors(notes, interventions, () if only_forced else sane.natural)
    located = Located(
        _first_wrong(ctx, propagated, told(knobs), only_forced), None, knobs=knobs, fast=sane.fast
    )
    fixes = fixes_of(notes, sane, sane.signature, located)
    return Answer(sane, located, fixes, None, propagated)


def _must_not_be_perturbed(ctx: Context) -> bool:
    """Whether looking at tensors changes the engine: real builders fuse, and have their moods."""
    return not ctx.candidate.deterministic and ctx.case.candidate_model is None


def _narrowed(notes: Notes, sane: Sanity, failing: Outcome, knobs: tuple[Knob, ...]) -> Answer:
    found = notes.attempt("observe", lambda: narrow(notes.ctx, sane.natural))
    found = found or Narrowed({}, None, ())
    if found.unbuilt:
        notes.unknown.append(f"some tensors could not be observed: {found.unbuilt}")
    marks = _fewest_marks(notes, found, sane.natural)
    if marks:
        notes.findings += (heisenbug(found, failing),)
    found = replace(found, cured_by=marks)
    culprits = (suspected(found, told(knobs)),) if found.nodes else ()
    located = Located(culprits, None, knobs=knobs, marks=marks)
    fixes = fixes_of(notes, sane, sane.signature, located)
    return Answer(sane, located, fixes, None, Propagated(found.errors, failing))


def _fewest_marks(notes: Notes, found: Narrowed, natural: Sequence[Outcome]) -> tuple[str, ...]:
    """Of the marks that made the failure go away, the fewest that keep it away."""
    if not found.cured_by:
        return ()
    ctx = notes.ctx
    builds = enough(natural, ctx.case.fix_builds)
    marks = notes.attempt("fusion", lambda: fewest_marks(ctx, found.cured_by, found.nodes, builds))
    if not marks:
        notes.unknown.append("the tensors whose marking cured some builds do not cure the next ones")
    return marks or ()


def _first_wrong(
    ctx: Context, propagated: Propagated | None, knobs: str, only_forced: bool
) -> tuple[Culprit, ...]:
    error = first_failing(propagated) if propagated else None
    node = ctx.index.producer.get(error.tensor) if error else None
    if propagated is None or error is None or node is None:
        return ()
    blind = _read_on_one_side(ctx, error.tensor, propagated)
    nodes = bracket(ctx.index, error.tensor, [t for t, e in propagated.errors.items() if e.status == "pass"])
    if blind:
        inputs = f"{blind[0]}, which it reads, exists on one side only"
    else:
        inputs = "what it reads agrees" if len(nodes) == 1 else "not all that it reads could be compared"
    forced = "with low precision forced everywhere, " if only_forced else ""
    evidence = f"{forced}{error.tensor} is the first tensor to differ ({error.reason}); {inputs}"
    if knobs:
        evidence += f"; {knobs} makes the difference"
    return (Culprit(nodes, "unknown", evidence, proven=False),)


def _read_on_one_side(ctx: Context, tensor: str, propagated: Propagated) -> list[str]:
    """Tensors that the node of either model reads to compute `tensor`, and that the other model lacks."""
    ours = ctx.index
    blind = [t for t in ours.node(ours.producer[tensor]).reads if t in propagated.unmatched]
    if ctx.case.candidate_model is not None:
        theirs = GraphIndex(load_skeleton(Path(ctx.case.candidate_model)))
        known = {*ours.tensors, *ours.inputs, *theirs.initializers}
        blind += [t for t in theirs.node(theirs.producer[tensor]).reads if t not in known]
    return blind
