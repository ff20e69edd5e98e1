"""Tactics measured: engine layers copied side by side into one network, each copy told which tactic to use.

Each copy is fed with the reference's own inputs, so that one build gives the error of as many tactics as there are
copies. What it cannot see: a tactic that the builder offers in the whole network only (the copy's neighbours, and so
the formats that it reads and writes, are others), and a layer that is fused otherwise when it stands alone. Both show:
the builder says what it offered to each copy, and which layers it made.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from trtdebug.core.intervention import UseTactic
from trtdebug.core.outcome import LayerInfo, OfferedTactic, Outcome
from trtdebug.graph.mapped import byte_size
from trtdebug.graph.side_by_side import SideBySide, copied_words, copy_name, side_by_side
from trtdebug.oracle.verdict import rename
from trtdebug.session.job import Job, TensorRef
from trtdebug.stages.context import Context
from trtdebug.stages.jobs import compared, with_model
from trtdebug.stages.observing.observe import LocalError, badness, small_integers

_COPIES = 256
_BYTES = 4 << 30
"""Of weights and tensors in one network, each copy counted: engines do not share weights between layers."""

_MOST_UNBUILT = 6
"""Networks that could not be built, after which the next is not divided any more."""


@dataclass(frozen=True)
class Told:
    """A copy to be made: of an engine layer that computes `layer.nodes`, with a tactic as in `UseTactic`."""

    layer: LayerInfo
    tactic: str


@dataclass(frozen=True)
class Measured:
    """What came of a copy.

    Attributes:
        errors: of the tensors that the layer puts out, the worst first; empty where it could not be measured.
        tactic: the one that it was built with, as in `BanTactic`; None where it could not be measured.
        kernel: the kernel's name, as far as the engine tells.
        offered: every tactic that the builder offered to the copy; empty where there is no such layer when it
            stands alone.
        obstacle: why it could not be measured; empty where it was.
    """

    told: Told
    errors: tuple[LocalError, ...] = ()
    tactic: str | None = None
    kernel: str = ""
    offered: tuple[OfferedTactic, ...] = ()
    obstacle: str = ""


def measure(ctx: Context, wanted: Sequence[Told]) -> tuple[Measured, ...]:
    """Builds all copies, in as few networks as the memory allows, and where one cannot be built, in parts of it."""
    found: dict[Told, Measured] = {}
    unbuilt = 0
    batches = list(_batches(ctx, wanted))
    while batches:
        copies = [
            side_by_side(ctx.model, ctx.types, [t.layer.nodes for t in batch], small_integers(ctx))
            for batch in batches
        ]
        jobs = [_job(ctx, b, c, n) for n, (b, c) in enumerate(zip(batches, copies, strict=True))]
        tried = list(zip(batches, copies, jobs, ctx.session.run_all(jobs), strict=True))
        batches = []
        for batch, copied, job, outcome in tried:
            unbuilt += not outcome.tensors
            if not outcome.tensors and len(batch) > 1 and unbuilt <= _MOST_UNBUILT:
                blamed = _blamed(batch, outcome)
                if blamed is not None:
                    found[batch[blamed]] = Measured(batch[blamed], obstacle=outcome.reason)
                batches += _smaller(batch, blamed)
                continue
            for number, told in enumerate(batch):
                found[told] = _measured(ctx, number, told, copied, job, outcome)
    return tuple(found[told] for told in wanted)


def _blamed(batch: Sequence[Told], outcome: Outcome) -> int | None:
    """Number of the copy that the builder names where it cannot build; None where it names none."""
    copies = enumerate(batch)
    return next((i for i, t in copies if outcome.node in {copy_name(n, i) for n in t.layer.nodes}), None)


def _smaller(batch: list[Told], blamed: int | None) -> list[list[Told]]:
    """The batch without the copy that is to blame; in halves where none is known to be."""
    if blamed is not None:
        return [batch[:blamed] + batch[blamed + 1 :]]
    middle = len(batch) // 2
    return [batch[:middle], batch[middle:]]


def untouchable(ctx: Context, layer: LayerInfo) -> str:
    """Why a layer cannot be copied; empty where it can."""
    known = {*ctx.types, *ctx.index.initializers}
    unknown = next((t for t in _tensors(ctx, layer) if t not in known), None)
    return f"the type of {unknown!r} is not known" if unknown is not None else ""


def _batches(ctx: Context, wanted: Sequence[Told]) -> Iterator[list[Told]]:
    weights = {t.name: byte_size(t) for t in ctx.model.graph.initializer}
    sizes = {t.layer.name: _bytes(ctx, t.layer, weights) for t in wanted}
    batch: list[Told] = []
    room = _BYTES
    for told in wanted:
        size = sizes[told.layer.name]
        if batch and (len(batch) == _COPIES or room < size):
            yield batch
            batch, room = [], _BYTES
        batch.append(told)
        room -= size
    if batch:
        yield batch


def _bytes(ctx: Context, layer: LayerInfo, weights: Mapping[str, int]) -> int:
    """Of what a layer reads and writes, in FP32; of tensors whose shape is not known, nothing."""
    tensors = set(_tensors(ctx, layer))
    shapes = [ctx.types[t].shape for t in tensors if t in ctx.types and t not in weights]
    return sum(weights.get(t, 0) for t in tensors) + sum(4 * _elements(shape) for shape in shapes)


def _elements(shape: Sequence[object] | None) -> int:
    return math.prod(d for d in shape if isinstance(d, int)) if shape is not None else 0


def _tensors(ctx: Context, layer: LayerInfo) -> Iterator[str]:
    for node in map(ctx.index.node, layer.nodes):
        yield from (*node.reads, *node.writes)


def _job(ctx: Context, batch: Sequence[Told], copies: SideBySide, place: int) -> Job:
    needed = (*copies.feeds.values(), *copies.tensors.values())
    ctx.need_reference([t for t in needed if t in ctx.index.producer])
    tell = (UseTactic(_layer(told, number), told.tactic) for number, told in enumerate(batch))
    layers = len({told.layer.name for told in batch})
    plain = ctx.candidate_job(f"tactics of {layers} layer(s) in {len(batch)} copies", tell)
    job = replace(
        compared(ctx, plain, copies.tensors),
        options=replace(ctx.case.options, profiles={}),
        feeds={name: TensorRef(tensor) for name, tensor in copies.feeds.items()},
        keep="all",
        isolated=True,
    )
    return with_model(ctx, job, copies.model, f"tactics-{place}.onnx")


def _layer(told: Told, number: int) -> str:
    return copied_words(told.layer.name, told.layer.nodes, number)


def _measured(
    ctx: Context, number: int, told: Told, copies: SideBySide, job: Job, outcome: Outcome
) -> Measured:
    if outcome.engine is None or not outcome.tensors:
        return Measured(told, obstacle=outcome.reason or "nothing came of it")
    name = _layer(told, number)
    tactics = next((t for t in outcome.engine.tactics if t.layer == name), None)
    if tactics is None:
        return Measured(told, obstacle="standing alone, its nodes are fused otherwise")
    wanted = told.tactic.removeprefix("*")
    if tactics.chosen is None or not tactics.chosen.endswith(wanted):
        return Measured(
            told, offered=tactics.offered, obstacle="standing alone, the layer is not offered this tactic"
        )
    built = next((x for x in outcome.engine.layers if x.name == name), None)
    own = [e for e in outcome.tensors if copies.outputs.get(e.tensor, ("", -1))[1] == number]
    renamed = rename(own, copies.tensors)
    errors = [
        LocalError(ctx.index.producer[error.tensor], error, TensorRef(kept.tensor, job.sha256))
        for kept, error in zip(own, renamed, strict=True)
    ]
    errors.sort(key=lambda local: badness(local.error), reverse=True)
    kernel = (built.tactic or "") if built is not None else ""
    return Measured(told, tuple(errors), tactics.chosen, kernel, tactics.offered)
