"""Fix: proposals by hooks, from the cheapest on, each verified as the user builds, until one holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from trtdebug.core.diagnosis import Fix, Latency
from trtdebug.core.errors import UserError
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import Intervention, PinPrecision
from trtdebug.core.outcome import Outcome, Signature, TensorError
from trtdebug.core.told import known
from trtdebug.oracle.verdict import largest_share
from trtdebug.plugins import returned
from trtdebug.plugins.lending import Loan
from trtdebug.plugins.proposals import pin_nodes
from trtdebug.plugins.types import FixContext, FixProposal, Sample
from trtdebug.session.job import TensorRef
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.fixing.blocks import whole_blocks
from trtdebug.stages.fixing.evidence import Evidence, pinned
from trtdebug.stages.fixing.latency import in_fp32, latencies
from trtdebug.stages.fixing.minimise import minimal_pins
from trtdebug.stages.fixing.rewrites import keep_model, prove
from trtdebug.stages.localising.localise import Located

_FAST_ENOUGH = 1.1
"""Latency over that without the fix, up to which nothing faster is looked for."""


@dataclass(frozen=True)
class _Tried:
    """A fix, and the first build with it; None where there was none."""

    fix: Fix
    first: Outcome | None = None


def fix(
    ctx: Context,
    signature: Signature,
    located: Located,
    findings: Sequence[Finding],
    natural: Sequence[Outcome],
    builds: int,
) -> tuple[Fix, ...]:
    """All fixes that were tried. Where any is verified the last one is, and it is the one to take.

    What is proposed to be compared is tried whatever else holds, and stands before it.

    Pins are minimised before they are built as the user builds. Where pins hold, but make the engine slower, more of
    them, that keep fusions whole, are tried beside them; of the two the faster stands last.

    Args:
        natural: builds without a fix, for the latencies.
        builds: fresh builds that have to pass; more where not all natural ones failed, and nothing but these builds
            speaks for the fix.
    """
    minimal = minimal_pins(ctx, signature, located)
    context = FixContext(
        case=ctx.case,
        model=ctx.lent_model(),
        index=ctx.index,
        signature=signature,
        culprits=tuple(c.nodes for c in located.culprits if c.proven),
        unbuildable=tuple(c for c in located.culprits if c.kind == "build"),
        pins=minimal.pins if minimal is not None else None,
        findings=tuple(findings),
        realises=ctx.candidate.realises,
        knobs=located.knobs,
        marks=located.marks,
        bans=located.bans,
        keep_model=partial(keep_model, ctx),
        samples=partial(_samples, ctx),
    )
    dropped = minimal is not None and minimal.pins != located.pins
    # should the minimal pins not hold as the user builds, all of them may; they are dearer
    dearer = pin_nodes(located.pins) if dropped and located.pins else None
    proposals = _proposals(ctx, context, dearer)
    names = dict.fromkeys(p.beside for p in proposals if p.beside)
    evidence = Evidence(ctx, natural, builds, frozenset(context.pins or ()), located.fast)
    ours = _until_one_holds(evidence, [p for p in proposals if not p.beside])
    tried = [t for n in names for t in _until_one_holds(evidence, [p for p in proposals if p.beside == n])]
    tried = sorted([*tried, *ours], key=lambda t: t.fix.verified)
    if minimal is not None and minimal.untested:
        tried = [_with_untested(t, minimal.pins, minimal.untested) for t in tried]
    return tuple(t.fix for t in (_timed(evidence, tried) if _holds(tried) else tried))


def _samples(ctx: Context) -> Iterator[Sample]:
    tensors = ctx.session.tensors
    for sample in ctx.case.samples:
        yield {name: tensors.get(sample, TensorRef(name)) for name in ctx.index.inputs}


def _until_one_holds(evidence: Evidence, proposals: Sequence[FixProposal]) -> list[_Tried]:
    tried: list[_Tried] = []
    for proposal in proposals:
        tried.append(_try_fix(evidence, proposal, evidence.builds(proposal)))
        if _holds(tried):
            break
    return tried


def _proposals(ctx: Context, context: FixContext, dearer: FixProposal | None) -> list[FixProposal]:
    """What the hooks propose; each distinct set of interventions once, from the cheapest on.

    Args:
        dearer: more pins than the context's; proposed where those are.
    """
    proposals: list[FixProposal] = []
    loan = Loan(context.model, Path(ctx.case.model))
    for found in ctx.plugins.collect("fixes"):
        proposer, own = found.value, found.provider.builtin
        with ctx.plugins.guard(found.provider, f"fix {proposer.name}", limit=proposer.seconds):
            with nullcontext() if own else loan.watched():
                seen = context if own else loan.to_fix(context)
                given = returned.proposals(proposer.name, proposer.propose(seen))
            proposals += given
    pins = (PinPrecision(context.pins),) if context.pins else ()
    if dearer is not None and any(p.interventions == pins for p in proposals):
        proposals.append(dearer)
    distinct: dict[tuple[object, ...], FixProposal] = {}
    for proposal in sorted(proposals, key=lambda p: p.cost):
        distinct.setdefault((proposal.beside, proposal.obstacle, *proposal.interventions), proposal)
    return list(distinct.values())


def _holds(tried: Sequence[_Tried]) -> bool:
    return bool(tried) and tried[-1].fix.verified


def _try_fix(evidence: Evidence, proposal: FixProposal, builds: int) -> _Tried:
    """Builds with the fix as the user builds, where nothing speaks against it; stops at the first that does not pass.

    Workers to spare build what is due where all of them pass: all in FP32, for the latency.
    """
    ctx = evidence.ctx
    kinds = {type(i).__name__ for i in proposal.interventions}
    fix = Fix(proposal.kind, proposal.summary, proposal.interventions, False, (0, 0), beside=proposal.beside)
    if proposal.obstacle:
        return _Tried(replace(fix, reason=proposal.obstacle, untestable=True))
    beyond = sorted(kinds - ctx.candidate.realises)
    if beyond:
        reason = f"{ctx.candidate.name} cannot realise {', '.join(beyond)}"
        return _Tried(replace(fix, reason=reason, untestable=True))
    interventions = ctx.as_built(proposal.interventions)
    jobs = [
        ctx.candidate_job("verify fix", interventions, repeat=number, keep_engine=number == 0)
        for number in range(builds)
    ]
    ahead = [*jobs, *in_fp32(ctx)]
    try:
        proof = prove(ctx, proposal)
    except UserError as error:  # a rewritten model that cannot be read
        return _Tried(replace(fix, reason=error.message, untestable=True))
    if not proof.reason:
        proof = evidence.forced(proposal, proof, ahead)
    if proof.reason:
        fix = replace(
            fix, reason=proof.reason, note=proof.note, untestable=proof.untestable, built=proof.built
        )
        return _Tried(fix)
    ctx.report_progress(Progress("fix", f"{proposal.summary}: {builds} build{'s' if builds > 1 else ''}"))
    ctx.session.run_ahead(ahead)
    outcomes = ctx.session.run_until(jobs, lambda outcome: outcome.status != "pass")
    passed = sum(o.status == "pass" for o in outcomes)
    fix = replace(
        fix,
        verified=passed == builds,
        builds_passed=(passed, len(outcomes)),
        max_rel_after=_largest(e for outcome in outcomes for e in outcome.tensors),
        of_limit=largest_share(outcomes) if passed == builds else None,
        reason=outcomes[-1].reason,
        note="; ".join(filter(None, (proof.note, _note(proposal.interventions, outcomes)))),
        untestable=outcomes[-1].status == "untestable",
        built=outcomes[-1].engine is not None,
    )
    return _Tried(evidence.judged(proposal, fix), outcomes[0])


def _largest(errors: Iterable[TensorError]) -> float | None:
    """Of the scale; None where nothing could be compared."""
    found = (known(error, error.max_rel) for error in errors)
    return max((error for error in found if error is not None), default=None)


def _note(interventions: Sequence[Intervention], outcomes: Sequence[Outcome]) -> str:
    """What reading the engines back left open. A pin that nobody can see is still proven by the results."""
    pins = pinned(interventions)
    engines = [o.engine for o in outcomes if o.engine is not None]
    hidden = pins & {n for e in engines for n in e.unverified}
    notes = [n for n in dict.fromkeys(n for e in engines for n in e.notes) if "relaxed" in n]
    if hidden:
        notes.insert(
            0, f"the engine does not show the precision of {len(hidden)} of {len(pins)} pinned nodes"
        )
    return "; ".join(notes)


def _with_untested(tried: _Tried, pins: Sequence[str], untested: tuple[str, ...]) -> _Tried:
    """The same; where it is these pins, with those of them whose need could not be tested."""
    mine = tried.fix.interventions == (PinPrecision(tuple(pins)),)
    return replace(tried, fix=replace(tried.fix, untested_pins=untested)) if mine else tried


# latency ---------------------------------------------------------------------------------------------------------


def _timed(evidence: Evidence, tried: list[_Tried]) -> list[_Tried]:
    """The same, with the latencies of those that hold; where the last one of them is slow, with another beside it."""
    ctx, natural = evidence.ctx, evidence.natural
    held = [t.first for t in tried if t.fix.verified and t.first is not None]
    measured = iter(latencies(ctx, natural, held))
    *others, best = (_with_latency(t, next(measured)) if t.fix.verified else t for t in tried)
    assert best.first is not None
    proposal = _alternative(ctx, best.fix, best.fix.latency_ms, natural)
    if proposal is None:
        return [*others, best]
    other = _try_fix(evidence, proposal, 1)
    if other.first is None or not other.fix.verified:
        return [*others, other, best]
    ours, theirs = latencies(ctx, natural, [best.first, other.first])
    faster = _is_faster(theirs, ours)
    if faster:
        other = _try_fix(evidence, proposal, evidence.builds(proposal))
    else:
        reason = "it passes, but is no faster than fewer pins: not built again"
        other = replace(other, fix=replace(other.fix, verified=False, reason=reason))
    pair = [_with_latency(best, ours), _with_latency(other, theirs)]
    return [*others, *(pair if other.fix.verified else reversed(pair))]


def _alternative(
    ctx: Context, fix: Fix, latency: Latency | None, natural: Sequence[Outcome]
) -> FixProposal | None:
    """More pins, that keep fusions whole; None where the fix is none of pins, or not known to be slow."""
    pins = pinned(fix.interventions)
    if fix.interventions != (PinPrecision(tuple(n for n in ctx.items if n in pins)),):
        return None
    if latency is None or latency.ratio is None or latency.ratio <= _FAST_ENOUGH:
        return None
    whole = whole_blocks(ctx, pins, natural)
    if not len(pins) < len(whole) < len(ctx.items):
        return None
    return pin_nodes(whole, f"whole blocks around {len(pins)} of them")


def _is_faster(one: Latency | None, other: Latency | None) -> bool:
    return (
        one is not None
        and other is not None
        and one.fixed is not None
        and other.fixed is not None
        and one.fixed < other.fixed
    )


def _with_latency(tried: _Tried, latency: Latency | None) -> _Tried:
    ratio = latency.ratio if latency is not None else None
    return replace(tried, fix=replace(tried.fix, latency_ms=latency, latency_ratio=ratio))
