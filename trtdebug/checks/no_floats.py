"""Low precision where there is nothing to round."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.core.finding import Finding
from trtdebug.graph.types import tensor_types
from trtdebug.graph.walk import bodies
from trtdebug.plugins.types import CheckContext


def run(context: CheckContext) -> Iterator[Finding]:
    """With FP16 or BF16 only: `nothing-in-low-precision` where no node reads or writes a floating-point tensor.

    A tensor of unknown type may be one, and so may those inside of bodies and functions.
    """
    if context.precision not in ("fp16", "bf16"):
        return
    types = tensor_types(context.model)
    nodes = context.model.graph.node
    tensors = {t for n in nodes for t in (*n.input, *n.output) if t}
    nested = context.model.functions or any(list(bodies(n)) for n in nodes)
    if nested or any(t not in types or types[t].is_float for t in tensors):
        return
    yield Finding(
        "nothing-in-low-precision",
        "warning",
        f"No node reads or writes a floating-point tensor: {context.precision.upper()} changes nothing here, and a "
        "match says nothing of it.",
        None,
        f"Leave --{context.precision} out, or give the model that computes in floating point.",
    )
