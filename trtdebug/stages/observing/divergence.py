"""First divergence: the tensor where a reader should start looking."""

from __future__ import annotations

from trtdebug.core.diagnosis import Divergence
from trtdebug.core.outcome import TensorError
from trtdebug.core.told import known
from trtdebug.stages.context import Context
from trtdebug.stages.observing.observe import Observation
from trtdebug.stages.observing.propagate import Propagated, first_failing


def first_divergence(
    ctx: Context, culprits: list[str], observation: Observation | None, propagated: Propagated | None
) -> Divergence | None:
    """The first culprit's worst tensor; without a culprit the first tensor that is wrong in the whole candidate."""
    ordered = sorted(culprits, key=ctx.index.position)
    if ordered:
        local = observation.local.get(ordered[0]) if observation else None
        tensor = local.error.tensor if local else ctx.index.node(ordered[0]).writes[0]
        own, whole = local.error if local else None, _of(propagated, tensor)
        return _divergence(ctx, tensor, own or whole, own, whole)
    if propagated is None:
        return None
    error = first_failing(propagated)
    if error is None:
        return None
    return _divergence(ctx, error.tensor, error, _own(ctx, observation, error.tensor), error)


def _own(ctx: Context, observation: Observation | None, tensor: str) -> TensorError | None:
    """The error of the node that writes the tensor by itself, where it is this tensor that was the worst."""
    node = ctx.index.producer.get(tensor)
    local = observation.local.get(node) if observation and node else None
    return local.error if local and local.error.tensor == tensor else None


def _of(propagated: Propagated | None, tensor: str) -> TensorError | None:
    return propagated.errors.get(tensor) if propagated else None


def _divergence(
    ctx: Context,
    tensor: str,
    shown: TensorError | None,
    local: TensorError | None,
    propagated: TensorError | None,
) -> Divergence | None:
    """All numbers but the two RMS errors are those of `shown`, the one of them that is in question."""
    if shown is None:
        return None
    node = ctx.index.producer.get(tensor)
    return Divergence(
        tensor=tensor,
        node=node,
        op=ctx.index.node(node).op if node else None,
        max_abs=known(shown, shown.max_abs),
        max_rel=known(shown, shown.max_rel),
        nonfinite=shown.nonfinite,
        local_error=known(local, local.rms_rel) if local else None,
        propagated_error=known(propagated, propagated.rms_rel) if propagated else None,
    )
