"""Tactics: which engine layer's tactic makes the case fail, and which tactics of that layer do.

First over layers: each layer of a failing engine stands alone, with the tactic that it has there, fed by the
reference; its output, put into the reference, convicts it or does not. That is one build for all layers. Then over
the tactics of the convicted layers, in one build or two. Where no layer fails by itself, and another build of the same
command passes, layers go over from its tactics to those of the failing engine, in the whole network, until the fewest
that break it are found.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from trtdebug.core.diagnosis import Culprit
from trtdebug.core.intervention import BanTactic, UseTactic
from trtdebug.core.outcome import LayerInfo, Outcome, Signature
from trtdebug.oracle.verdict import evidence_on
from trtdebug.search.drive import drive_many
from trtdebug.search.leftmost import Leftmost
from trtdebug.search.types import Verdict
from trtdebug.session.job import Job
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.localising.localise import Located
from trtdebug.stages.observing.observe import badness
from trtdebug.stages.observing.substitute import substitute
from trtdebug.stages.tactics.copies import Measured, Told, measure, untouchable
from trtdebug.stages.tactics.kinds import Divided, first_looks

_MOST_LAYERS = 4
"""Where more layers than these fail by themselves, their tactics have something in common: a precision."""
_NAMED = 4


def can_choose(ctx: Context) -> bool:
    """Whether the candidate takes orders which tactics to use; it does not at optimisation level 0."""
    able = {"BanTactic", "UseTactic"} <= ctx.candidate.realises
    return able and ctx.case.candidate_model is None and ctx.case.options.optimization_level != 0


def tactics(ctx: Context, signature: Signature, natural: Sequence[Outcome]) -> Located:
    """What of the failure is a matter of tactics: culprits of kind "tactic", bans, and what could not be decided.

    Args:
        natural: builds as the user makes them, at least one of them failing.
    """
    failing = next(o for o in natural if o.status == "fail")
    layers, unknown = _choosable(ctx, failing)
    if not layers:
        return Located((), None, unknown)
    ctx.report_progress(Progress("tactics", f"{len(layers)} layers, each by itself", len(layers)))
    alone = measure(ctx, [Told(layer, f"*:{layer.tactic_id}") for layer in layers])
    missed = [m for m in alone if m.obstacle]
    if missed:
        line = f"the tactics of {len(missed)} layers could not be seen by themselves ({missed[0].obstacle})"
        unknown += (line,)
    convicted = [m for m in alone if not m.obstacle and _status(ctx, m, signature) == "fail"]
    if len(convicted) > _MOST_LAYERS:
        line = f"each of {len(convicted)} layers breaks the tolerance with the tactic it has: it is their precision"
        return Located((), None, (*unknown, line))
    if convicted:
        return _banned(ctx, signature, convicted, unknown)
    between = _between(ctx, signature, layers, natural)
    return replace(between, unknown=(*unknown, *between.unknown))


def _choosable(ctx: Context, failing: Outcome) -> tuple[list[LayerInfo], tuple[str, ...]]:
    """Layers whose tactic can be chosen; and of the others, why not."""
    layers = failing.engine.layers if failing.engine is not None else ()
    known = [
        x for x in layers if x.nodes and x.tactic_id is not None and all(n in ctx.index for n in x.nodes)
    ]
    blocks = [x.name for x in layers if "{ForeignNode[" in x.name]
    unknown: tuple[str, ...] = ()
    if blocks:
        are = (
            f"{blocks[0]} is a block" if len(blocks) == 1 else f"{len(blocks)} blocks ({blocks[0]}, ...) are"
        )
        unknown = (
            f"{are} compiled by Myelin, which offers one tactic only: there a pin, another fusion or a rewritten "
            "graph has to help",
        )
    return [x for x in known if not untouchable(ctx, x)], unknown


# one layer by itself ------------------------------------------------------------------------------------


def _status(ctx: Context, measured: Measured, signature: Signature) -> str:
    """What the case does with the layer as the candidate computes it, and all else as the reference."""
    verdicts = [evidence_on(substitute(ctx, error), signature) for error in measured.errors]
    return next((v for v in ("fail", "untestable") if v in verdicts), "pass")


def _banned(
    ctx: Context, signature: Signature, convicted: Sequence[Measured], unknown: tuple[str, ...]
) -> Located:
    """Measures the tactics of the convicted layers, and bans those with which the case was not seen to pass."""
    wanted = [Told(m.told.layer, tactic) for m in convicted for tactic in first_looks(m.offered)]
    ctx.report_progress(Progress("tactics", f"{len(wanted)} tactics of {len(convicted)} layers", len(wanted)))
    looks = measure(ctx, wanted)
    divided = {m.told.layer.name: _divided(ctx, signature, m, looks) for m in convicted}
    wanted = [Told(m.told.layer, t) for m in convicted for t in divided[m.told.layer.name].next_looks()]
    if wanted:
        ctx.report_progress(Progress("tactics", f"{len(wanted)} more tactics", len(wanted)))
        looks += measure(ctx, wanted)
        divided = {m.told.layer.name: _divided(ctx, signature, m, looks) for m in convicted}
    culprits: tuple[Culprit, ...] = ()
    bans: tuple[BanTactic, ...] = ()
    for guilty in convicted:
        layer, found = guilty.told.layer, divided[guilty.told.layer.name]
        culprits += (Culprit(layer.nodes, "tactic", _words(guilty, found)),)
        if found.good:
            bans += tuple(BanTactic(layer.name, tactic) for tactic in found.banned())
        else:
            line = f"{layer.name}: every tactic that was measured breaks the tolerance, so no ban helps"
            unknown += (line,)
    return Located(culprits, None, unknown, bans=bans)


def _divided(
    ctx: Context, signature: Signature, guilty: Measured, looks: Sequence[Measured]
) -> Divided[Measured]:
    """Bisects what was measured, sorted by error, for the largest error with which the case passes.

    A larger error of the same tensors is taken to do no better: each step is a run of the reference.
    """
    own = [m for m in looks if m.told.layer == guilty.told.layer]
    seen = sorted((m for m in own if not m.obstacle), key=lambda m: badness(m.errors[0].error))
    low, high = 0, len(seen)
    while low < high:
        middle = (low + high) // 2
        if _status(ctx, seen[middle], signature) == "pass":
            low = middle + 1
        else:
            high = middle
    return Divided(
        guilty.offered,
        {m.told.tactic: m for m in seen[:low]},
        {m.told.tactic: m for m in seen[low:]},
        frozenset(m.told.tactic for m in own if m.obstacle),
    )


def _words(guilty: Measured, found: Divided[Measured]) -> str:
    worst = list(found.bad.values())[::-1]
    named = ", ".join(map(_named, worst[:_NAMED])) + (", ..." if len(worst) > _NAMED else "")
    best = f"; the others reach at most {_error(list(found.good.values())[-1])}" if found.good else ""
    seen, bad = len(found.good) + len(found.bad), len(found.bad)
    words = (
        f"layer {guilty.told.layer.name}, fed with the reference's inputs: its tactic in the failing engine, "
        f"{_named(guilty)}, put into the reference, alone makes the case fail; so do {bad} of the {seen} that were "
        f"measured, of {len(found.offered)} that are offered: {named}{best}"
    )
    alike, doubtful = len(found.alike()), len(found.doubtful())
    words += f"; {alike} more of the same kinds are taken to be as bad" if alike else ""
    return words + (f"; {doubtful} could not be told and are banned, too" if doubtful else "")


def _named(measured: Measured) -> str:
    kernel = f" {measured.kernel}" if measured.kernel and not measured.kernel.startswith("0x") else ""
    return f"{measured.tactic}{kernel} ({_error(measured)})"


def _error(measured: Measured) -> str:
    error = measured.errors[0].error
    return f"{error.nonfinite} Inf or NaN" if error.nonfinite else f"relative RMS error {error.rms_rel:.2g}"


# between two builds -------------------------------------------------------------------------------------


def _between(
    ctx: Context, signature: Signature, layers: Sequence[LayerInfo], natural: Sequence[Outcome]
) -> Located:
    """The fewest layers whose tactics in the failing engine break one in which all others have a passing one's."""
    safe = _safe(ctx, natural)
    differing = [x for x in layers if safe.get(x.name, x.tactic_id) != x.tactic_id]
    if not differing:
        return Located((), None)
    swap = _Swap(ctx, signature, layers, differing, safe)
    everything = frozenset(range(len(differing)))
    if swap(everything) != "fail" or swap(frozenset()) != "pass":
        return Located((), None)
    search = Leftmost(len(differing), width=ctx.session.workers)
    search.tell(everything, "fail")
    search.tell(frozenset(), "pass")
    answer = drive_many(search, swap.many)
    sets = [[differing[item] for item in sorted(culprit)] for culprit in answer.culprits]
    bans = tuple(BanTactic(x.name, swap.tactics[x.name]) for guilty in sets for x in guilty)
    culprits = tuple(
        Culprit(tuple(dict.fromkeys(n for x in guilty for n in x.nodes)), "tactic", _swapped(guilty, swap))
        for guilty in sets
    )
    return Located(culprits, None, (answer.note,) if answer.note else (), bans=bans)


def _safe(ctx: Context, natural: Sequence[Outcome]) -> dict[str, str]:
    """Tactic by layer of a build that is right: the user's recording, else the first that passed; empty for neither."""
    if ctx.case.good_tactics:
        return {layer: tactic.partition(":")[2] for layer, tactic in ctx.case.good_tactics.items()}
    engines = (o.engine for o in natural if o.status == "pass" and o.engine is not None)
    engine = next(engines, None)
    return {x.name: x.tactic_id for x in engine.layers if x.tactic_id} if engine is not None else {}


def _swapped(guilty: Sequence[LayerInfo], swap: _Swap) -> str:
    told = ", ".join(f"{x.name} {swap.tactics[x.name]}" for x in guilty)
    with_it = "this tactic" if len(guilty) == 1 else "these tactics together"
    return f"in an engine that passes otherwise, {with_it} of the failing one make it fail: {told}"


class _Swap:
    """The question: does the whole network fail when exactly these layers have the failing engine's tactics?

    Attributes:
        tactics: the failing engine's, by layer, as in `BanTactic`; known once all layers were swapped.
    """

    def __init__(
        self,
        ctx: Context,
        signature: Signature,
        layers: Sequence[LayerInfo],
        differing: Sequence[LayerInfo],
        safe: Mapping[str, str],
    ) -> None:
        self.ctx, self.signature = ctx, signature
        self.layers, self.differing, self.safe = layers, differing, safe
        self.tactics: dict[str, str] = {}

    def __call__(self, swapped: Collection[int]) -> Verdict:
        return self.many([swapped])[0]

    def many(self, sets: Sequence[Collection[int]]) -> list[Verdict]:
        """One build each."""
        for swapped in sets:
            words = f"{len(swapped)} layers swapped"
            self.ctx.report_progress(Progress("tactics", words, len(self.differing), len(self.layers)))
        outcomes = self.ctx.session.run_all([self._job(swapped) for swapped in sets])
        for swapped, outcome in zip(sets, outcomes, strict=True):
            if len(swapped) == len(self.differing) and outcome.engine is not None:
                self.tactics = {t.layer: t.chosen for t in outcome.engine.tactics if t.chosen is not None}
        return [evidence_on(outcome, self.signature) for outcome in outcomes]

    def _job(self, swapped: Collection[int]) -> Job:
        guilty = {self.differing[item].name for item in swapped}
        told = [
            UseTactic(x.name, f"*:{x.tactic_id if x.name in guilty else self.safe.get(x.name, x.tactic_id)}")
            for x in self.layers
        ]
        purpose = f"{len(swapped)} of {len(self.differing)} layers with the failing engine's tactics"
        return self.ctx.candidate_job(purpose, self.ctx.as_built(told))
