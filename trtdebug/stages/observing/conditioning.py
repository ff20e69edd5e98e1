"""Conditioning: does a node's own error come from the node, or only from how sensitive it is to its inputs?

The reference computes each suspect once more from its recorded inputs, each element moved by one unit roundoff
of the low precision, up or down at random: what storing the inputs in that precision does to them. Where that
alone makes an error like the candidate's, no kernel of that precision could do better: the node is
ill-conditioned (differences of near equals, a logarithm near 1, the softmax of large logits), and it is no
culprit, nor are the healthy nodes before it whose rounding it amplifies. A node whose error is a few roundings
amplifies nothing, however tight the tolerance is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trtdebug.core.finding import Finding
from trtdebug.core.outcome import Outcome, TensorError
from trtdebug.graph.isolate import isolate
from trtdebug.oracle.conditioning import HEALTHY, ROUNDOFF, explains, leaves_range, perturbed
from trtdebug.session.job import Job, TensorRef
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.jobs import reference_again, with_model
from trtdebug.stages.observing.digits import digits_explain, only_round
from trtdebug.stages.observing.observe import Observation

_DRAWS = 2


@dataclass(frozen=True)
class Sensitivity:
    """How a node answers to rounded inputs.

    Attributes:
        local: the candidate's relative RMS error, fed with the reference's inputs.
        rounded: the reference's, fed with inputs that are off by one unit roundoff.
        amplification: `rounded` in unit roundoffs; about 1 for a well-conditioned node.
    """

    node: str
    local: float
    rounded: float
    amplification: float


def ill_conditioned(ctx: Context, nodes: Collection[str], seen: Observation) -> dict[str, Sensitivity]:
    """Those of `nodes` that do more than round, or amplify rounding, and whose error their inputs' rounding explains.

    What became NaN or Inf, or was one rounding away from it, is never explained so: that is the range of the
    precision, not its digits. One run of the reference a draw.
    """
    if ctx.low is None:
        return {}
    finite = [s for s in seen.local.values() if s.node in nodes and _is_finite(s.error)]
    asked = [s for s in finite if not ends_range(ctx, s.node)]
    if not asked:
        return {}
    message = f"{len(asked)} suspects, fed with inputs that are off by rounding"
    ctx.report_progress(Progress("localise", message))
    rounded = _rounded_errors(ctx, [s.node for s in asked])
    found = {}
    for suspect in asked:
        error = rounded.get(suspect.error.tensor, 0.0)
        amplification = error / ROUNDOFF[ctx.low]
        only_rounds = amplification <= HEALTHY and only_round(ctx, [suspect.node], seen)
        if explains(error, suspect.error.rms_rel) and not only_rounds:
            found[suspect.node] = Sensitivity(suspect.node, suspect.error.rms_rel, error, amplification)
    return found


def amplified(
    ctx: Context, nodes: Sequence[str], ill: Mapping[str, Sensitivity], seen: Observation, failure: Outcome
) -> bool:
    """Whether these nodes are ill-conditioned, or healthy ones whose rounding such a node amplifies.

    Not each of a set needs to feed such a node: where the digits that they lose explain the failure, what the others
    add is rounding, too.

    Args:
        failure: of these nodes alone in low precision.
    """
    healthy = [n for n in nodes if n not in ill]
    if not healthy:
        return True
    feeds = len(healthy) < len(nodes) or bool(ctx.index.descendants(healthy) & ill.keys())
    return feeds and digits_explain(ctx, nodes, seen, failure)


def finding(ctx: Context, found: Sensitivity) -> Finding:
    """`ill-conditioned`: what is known of such a node."""
    op = ctx.index.node(found.node).op
    low = (ctx.low or "").upper()
    return Finding(
        "ill-conditioned",
        "warning",
        f"{op} {found.node!r} is ill-conditioned: inputs off by one rounding of {low} move its output by "
        f"{found.rounded:.2g} ({found.amplification:.0f} roundings); the candidate is off by {found.local:.2g}",
        found.node,
        "No kernel of this precision can do better: keep what computes its inputs, and it, in FP32, or rewrite it.",
    )


def ends_range(ctx: Context, node: str) -> bool:
    """Whether the node reads or writes, in the reference, a number at the low precision's end or beyond."""
    tensors = [t for t in (*ctx.index.node(node).reads, *ctx.index.node(node).writes) if _is_recorded(ctx, t)]
    values = (v for sample in ctx.case.samples for v in ctx.reference(tensors, sample).values())
    return ctx.low is not None and any(leaves_range(v, ctx.low) for v in values)


def _is_recorded(ctx: Context, tensor: str) -> bool:
    return tensor in ctx.types and (tensor in ctx.index.inputs or tensor in ctx.index.producer)


def _is_finite(error: TensorError) -> bool:
    return not error.nonfinite and bool(np.isfinite(error.rms_rel))


def _rounded_errors(ctx: Context, nodes: list[str]) -> dict[str, float]:
    """By tensor that the nodes write: the largest relative RMS error of the draws; those that are finite."""
    isolated = isolate(ctx.model, ctx.types, nodes)
    again = reference_again(ctx, "suspects with rounded inputs", isolated.tensors)
    again = with_model(ctx, again, isolated.model, "conditioning.onnx")
    worst: dict[str, float] = {}
    for draw in range(_DRAWS):
        scope = f"rounding{draw}-{ctx.low}"
        _store_perturbed(ctx, dict.fromkeys(isolated.feeds.values()), scope, draw)
        job = replace(again, feeds={name: TensorRef(t, scope) for name, t in isolated.feeds.items()})
        for tensor, error in _errors(ctx, job, isolated.tensors):
            worst[tensor] = max(worst.get(tensor, 0.0), error)
    return worst


def _errors(ctx: Context, job: Job, names: Mapping[str, str]) -> Iterable[tuple[str, float]]:
    for error in ctx.session.run(job).tensors:
        if _is_finite(error):
            yield names[error.tensor], error.rms_rel


def _store_perturbed(ctx: Context, tensors: Iterable[str], scope: str, seed: int) -> None:
    assert ctx.low is not None
    names = list(tensors)
    ctx.reference([t for t in names if t in ctx.index.producer])
    for sample in ctx.case.samples:
        for place, name in enumerate(names):
            value = ctx.session.tensors.get(sample, TensorRef(name))
            moved = perturbed(value, ROUNDOFF[ctx.low], seed=seed + _DRAWS * place)
            ctx.session.tensors.put(sample, TensorRef(name, scope), moved)
