"""Substitution of many nodes, one by one, with one model of the reference: a run each, and no session each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trtdebug.core.outcome import Outcome
from trtdebug.graph.extract import extract
from trtdebug.graph.replaceable import Replaceable, can_be_replaced, replaceable
from trtdebug.oracle.verdict import judge, rename
from trtdebug.session.job import Job, TensorRef, Turn
from trtdebug.stages.context import Context
from trtdebug.stages.jobs import reference_again, with_model
from trtdebug.stages.observing.observe import LocalError
from trtdebug.stages.observing.substitute import reached, recorded_feeds, substitute

_MOST, _SECONDS = 32, 20.0
"""Runs of one job, and what they may take: it has the time of one trial."""
_SCOPE = "switches"
_ON, _OFF = TensorRef("on", _SCOPE), TensorRef("off", _SCOPE)


@dataclass(frozen=True)
class _Substituted:
    """A suspect, and the outputs that it reaches: own name -> name in its turn."""

    suspect: LocalError
    outputs: Mapping[str, str]


def substitute_each(ctx: Context, suspects: Sequence[LocalError]) -> dict[str, Outcome]:
    """By node: what `substitute` says of it."""
    alike = [_of(ctx, s) for s in suspects if _can_share(ctx, s)]
    size = _runs_of_a_job(ctx) if len(alike) > 1 else 1
    found: dict[str, Outcome] = {}
    for batch in (alike[i : i + size] for i in range(0, len(alike), size)):
        found.update(_outcomes(ctx, batch) if len(batch) > 1 else ())
    return {s.node: found[s.node] if s.node in found else substitute(ctx, s) for s in suspects}


def _runs_of_a_job(ctx: Context) -> int:
    seconds = ctx.record().run_seconds
    return min(_MOST, max(1, int(_SECONDS / max(seconds, 1e-3))))


def _can_share(ctx: Context, suspect: LocalError) -> bool:
    tensor = suspect.error.tensor
    read = tensor in ctx.index.consumers and tensor not in ctx.index.outputs
    return read and bool(reached(ctx, suspect)) and can_be_replaced(ctx.model, tensor, ctx.types)


def _of(ctx: Context, suspect: LocalError) -> _Substituted:
    return _Substituted(suspect, {o: f"{o}__with__{suspect.node}" for o in reached(ctx, suspect)})


def _outcomes(ctx: Context, batch: Sequence[_Substituted]) -> Iterator[tuple[str, Outcome]]:
    """Nothing where the reference does not run this model."""
    done = ctx.session.run(_job(ctx, batch))
    errors = {e.tensor: e for e in done.tensors}
    for one in batch if errors else ():
        names = {new: own for own, new in one.outputs.items()}
        own = rename((errors[new] for new in names), names)
        status, signature, reason = judge(own)
        yield one.suspect.node, Outcome(status, signature, reason, own, trial=done.trial)


def _job(ctx: Context, batch: Sequence[_Substituted]) -> Job:
    downstream = ctx.index.descendants([one.suspect.node for one in batch])
    outputs = list(dict.fromkeys(o for one in batch for o in one.outputs))
    part = extract(ctx.model, downstream, ctx.types, outputs, index=ctx.index)
    model = replaceable(part, [one.suspect.error.tensor for one in batch], ctx.types)
    names = {new: own for one in batch for own, new in one.outputs.items()}
    job = replace(
        reference_again(ctx, f"reference with {len(batch)} nodes substituted, one by one", names),
        outputs=tuple(outputs),
        feeds=recorded_feeds(ctx, part) | _switched_off(ctx, model),
        turns=tuple(_turn(one, model) for one in batch),
    )
    return with_model(ctx, job, model.model, "replaceable.onnx")


def _switched_off(ctx: Context, model: Replaceable) -> dict[str, TensorRef]:
    """What all inputs that `replaceable` added are fed where nothing is replaced."""
    values = {_ON: np.array(True), _OFF: np.array(False)}
    feeds: dict[str, TensorRef] = {}
    for tensor, switch in model.switches.items():
        dtype, rank = ctx.types[tensor].dtype, len(ctx.types[tensor].shape or ())
        nothing = TensorRef(f"{rank} dimensions of {dtype}", _SCOPE)
        feeds |= {switch: _OFF, model.given[tensor]: nothing}
        values[nothing] = np.zeros((1,) * rank, dtype)
    for sample in ctx.case.samples:
        for ref, value in values.items():
            ctx.session.tensors.put(sample, ref, value)
    return feeds


def _turn(one: _Substituted, model: Replaceable) -> Turn:
    tensor = one.suspect.error.tensor
    assert one.suspect.kept is not None
    switch = {model.switches[tensor]: _ON} if tensor in model.switches else {}
    return Turn({model.given[tensor]: one.suspect.kept} | switch, dict(one.outputs))
