"""Whether a failure is a matter of digits: what rounding that loses nothing but digits makes at the same nodes.

A node that only rounds, by the error of its whole output, may still be what is wrong: an epsilon of 1e-12 that
vanishes matters in the one row that is zero. So the reference is computed once more with these nodes rounding to
the digits of the low precision, whatever the size of a number. What that explains is rounding; what it does not
is the precision's range, or a kernel.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import numpy as np

from trtdebug.backends.base import Tensor
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import LowPrecision
from trtdebug.core.outcome import Outcome, TensorError
from trtdebug.graph.digits import KEEPS_INFINITY_SINCE
from trtdebug.graph.lowtypes import NUMPY_TYPE
from trtdebug.graph.opsets import opset_of
from trtdebug.graph.rounding import round_nodes
from trtdebug.oracle.conditioning import HEALTHY, ROUNDOFF, explains
from trtdebug.oracle.verdict import NUMERIC
from trtdebug.stages.context import Context
from trtdebug.stages.jobs import reference_again, with_model
from trtdebug.stages.observing.observe import Observation, small_integers


def only_round(ctx: Context, nodes: Iterable[str], seen: Observation) -> bool:
    """Whether of each of these nodes it is known that it does no more by itself than the precision rounds."""
    if ctx.low is None:
        return False
    most = HEALTHY * ROUNDOFF[ctx.low]
    errors = [own_error(ctx, n, seen) for n in nodes]
    return all(error is not None and error <= most for error in errors)


def own_error(ctx: Context, node: str, seen: Observation) -> float | None:
    """Relative RMS error that a node makes by itself in low precision, infinite where NaN or Inf are; None: not known.

    As it was observed. Of a node that reads constants only nothing is: a builder computes it beforehand, and stores it.
    Sizes that are the same in all samples are constants where nodes are observed.
    """
    if node in seen.local:
        error = seen.local[node].error
        return math.inf if error.nonfinite else error.rms_rel
    found = ctx.index.node(node)
    if ctx.low is None or not found.reads or not all(_is_constant(ctx, tensor) for tensor in found.reads):
        return None
    values = [v for v in ctx.reference(found.writes).values() if v.dtype.kind == "f"]
    return max((_stored(value, ctx.low) for value in values), default=None)


def _is_constant(ctx: Context, tensor: str) -> bool:
    writer = ctx.index.producer.get(tensor)
    if writer is None:
        return tensor in ctx.index.initializers
    return ctx.index.node(writer).op == "Constant" or bool(small_integers(ctx, [tensor]))


def _stored(value: Tensor, low: LowPrecision) -> float:
    """Relative RMS error of a value that is stored in low precision."""
    exact = value.astype(np.float64)
    with np.errstate(over="ignore"):
        error = value.astype(NUMPY_TYPE[low]).astype(np.float64) - exact
    size = float(np.linalg.norm(exact))
    return float(np.linalg.norm(error)) / size if size else 0.0


def digits_explain(
    ctx: Context, nodes: Collection[str], seen: Observation, failure: Outcome, lost: Outcome | None = None
) -> bool:
    """Whether `failure`, of these nodes alone in low precision, is no more than the digits that they lose make.

    False where that is not known. One run of the reference.

    Args:
        lost: what `digits_lost` says of them, where that is known already.
    """
    wrong = [e for e in failure.tensors if e.status == "fail"]
    if ctx.low is None or failure.status != "fail" or not wrong:
        return False
    if any(e.nonfinite for e in wrong) and opset_of(ctx.model) < KEEPS_INFINITY_SINCE:
        return False
    own = (own_error(ctx, n, seen) or 0.0 for n in nodes if only_round(ctx, [n], seen))
    larger = max((e / ROUNDOFF[ctx.low] for e in own), default=1.0)  # kernels sum up in low precision, too
    larger = max(1.0, larger)
    made = {e.tensor: e for e in (lost or digits_lost(ctx, nodes, ctx.low)).tensors}
    return all(e.tensor in made and _explains(made[e.tensor], e, larger) for e in wrong)


def _explains(made: TensorError, error: TensorError, larger: float) -> bool:
    """NaN, Inf and other shapes, where a limit is computed, are explained by the same only.

    Not only by size: beside large elements, what a rule by element allows a small one is a matter of that element.
    """
    if error.kind not in NUMERIC:
        return error.kind == made.kind == "shape"
    pairs = [
        (larger * made.rms_rel, error.rms_rel),
        (larger * made.max_abs, error.max_abs),
        (float(made.nonfinite), float(error.nonfinite)),
    ]
    if made.of_limit is not None and error.of_limit is not None:
        pairs.append((larger * made.of_limit, error.of_limit))
    return all(off == 0.0 or explains(rounding, off) for rounding, off in pairs)


def digits_lost(ctx: Context, nodes: Collection[str], low: LowPrecision) -> Outcome:
    """The reference with these nodes rounding to the digits of `low`, against itself."""
    try:
        model = round_nodes(ctx.model, nodes, low, {t: i.dtype for t, i in ctx.types.items()}, any_size=True)
    except BuildFailure as failure:
        return Outcome("untestable", reason=failure.message)
    purpose = f"{len(nodes)} nodes that lose digits only"
    again = reference_again(ctx, purpose, {o: o for o in ctx.index.outputs})
    return ctx.session.run(with_model(ctx, again, model, "digits.onnx"))
