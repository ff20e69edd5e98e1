"""Fix: proposals by hooks, from the cheapest on, each verified as the user builds, until one holds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial

import onnx

from trtdebug.core.diagnosis import Fix
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import PinPrecision, ReplaceGraph
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.graph.load import content_sha256, save_model
from trtdebug.plugins.types import FixContext, FixProposal
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.localise import Located

_LATENCY_RUNS = 20


def fix(
    ctx: Context,
    signature: Signature,
    located: Located,
    findings: Sequence[Finding],
    natural: Sequence[Outcome],
    builds: int,
) -> tuple[Fix, ...]:
    """All fixes that were tried, in order; the last one is verified when any is.

    Args:
        natural: builds without a fix, for the latency ratio.
        builds: fresh builds that have to pass.
    """
    context = FixContext(
        case=ctx.case,
        model=ctx.model,
        index=ctx.index,
        signature=signature,
        culprits=tuple(c.nodes for c in located.culprits if c.proven),
        pins=located.pins,
        findings=tuple(findings),
        realises=ctx.candidate.realises,
        knobs=located.knobs,
        marks=located.marks,
        bans=located.bans,
        keep_model=partial(_keep_model, ctx),
    )
    tried: list[Fix] = []
    for proposal in _proposals(ctx, context):
        tried.append(_try_fix(ctx, proposal, natural, builds))
        if tried[-1].verified:
            break
    return tuple(tried)


def _keep_model(ctx: Context, model: onnx.ModelProto) -> ReplaceGraph:
    """Saves a rewritten model in the session."""
    folder = ctx.session.folder / "work" / "rewrites"
    path = folder / f"{len(list(folder.glob('*.onnx')))}.onnx"
    save_model(model, path)
    return ReplaceGraph(str(path), content_sha256(path))


def _proposals(ctx: Context, context: FixContext) -> list[FixProposal]:
    """Each distinct set of interventions once, from the cheapest on."""
    proposals: list[FixProposal] = []
    for found in ctx.plugins.collect("fixes"):
        with ctx.plugins.guard(found.provider, f"fix {found.value.name}"):
            proposals += found.value.propose(context)
    distinct: dict[tuple[object, ...], FixProposal] = {}
    for proposal in sorted(proposals, key=lambda p: p.cost):
        distinct.setdefault(tuple(proposal.interventions), proposal)
    return list(distinct.values())


def _try_fix(ctx: Context, proposal: FixProposal, natural: Sequence[Outcome], builds: int) -> Fix:
    """Builds with the fix as the user builds; stops at the first build that does not pass."""
    kinds = {type(i).__name__ for i in proposal.interventions}
    beyond = sorted(kinds - ctx.candidate.realises)
    if beyond:
        reason = f"{ctx.candidate.name} cannot realise {', '.join(beyond)}"
        return Fix(proposal.kind, proposal.summary, proposal.interventions, False, (0, 0), reason=reason)
    outcomes: list[Outcome] = []
    tries = 1 if ctx.candidate.deterministic else builds
    for number in range(tries):
        ctx.report_progress(Progress("fix", f"{proposal.summary}: build {number + 1} of {tries}"))
        job = ctx.candidate_job(
            "verify fix", proposal.interventions, repeat=number, time_runs=0 if number else _LATENCY_RUNS
        )
        outcomes.append(ctx.session.run(job))
        if outcomes[-1].status != "pass":
            break
    passed = sum(o.status == "pass" for o in outcomes)
    verified = passed == len(outcomes)
    return Fix(
        kind=proposal.kind,
        summary=proposal.summary,
        interventions=proposal.interventions,
        verified=verified,
        builds_passed=(passed, len(outcomes)),
        max_rel_after=max((e.max_rel for o in outcomes for e in o.tensors), default=None),
        # what an emulated engine takes says nothing of a real one
        latency_ratio=None if ctx.candidate.deterministic else _ratio(outcomes, natural),
        reason="" if verified else outcomes[-1].reason,
        note=_note(proposal, outcomes),
    )


def _note(proposal: FixProposal, outcomes: Sequence[Outcome]) -> str:
    """What reading the engines back left open. A pin that nobody can see is still proven by the results."""
    pinned = {n for i in proposal.interventions if isinstance(i, PinPrecision) for n in i.nodes}
    engines = [o.engine for o in outcomes if o.engine is not None]
    hidden = pinned & {n for e in engines for n in e.unverified}
    notes = [n for n in dict.fromkeys(n for e in engines for n in e.notes) if "relaxed" in n]
    if hidden:
        notes.insert(
            0, f"the engine does not show the precision of {len(hidden)} of {len(pinned)} pinned nodes"
        )
    return "; ".join(notes)


def _ratio(fixed: Sequence[Outcome], natural: Sequence[Outcome]) -> float | None:
    before = [o.latency_ms for o in natural if o.latency_ms]
    after = [o.latency_ms for o in fixed if o.latency_ms]
    if not before or not after:
        return None
    return statistics.median(after) / statistics.median(before)
