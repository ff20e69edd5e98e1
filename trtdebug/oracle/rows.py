"""Equal rows in, equal rows out: a check of one side by itself, that needs no reference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trtdebug.oracle.compare import compare
from trtdebug.oracle.tolerance import Limits

Tensor = NDArray[np.generic]


def with_equal_rows(feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The feeds with every row (axis 0) of a batched input replaced by its first one; empty where none is batched.

    The batch is the length of the first input that has at least two rows; inputs of another length stay as they
    are.
    """
    batch = next((len(v) for v in feeds.values() if v.ndim and len(v) > 1), 0)
    if not batch:
        return {}
    return {n: _repeated(v) if v.ndim and len(v) == batch else v for n, v in feeds.items()}


def uneven(feeds: Mapping[str, Tensor], outputs: Mapping[str, Tensor], limits: Limits) -> tuple[str, ...]:
    """Outputs as long as the batch whose rows differ from their first one by more than the limits allow.

    Args:
        feeds: as `with_equal_rows` made them.
    """
    batch = next(len(v) for v in feeds.values() if v.ndim and len(v) > 1)
    batched = {n: v for n, v in outputs.items() if v.ndim and len(v) == batch and v.dtype.kind not in "OUS"}
    return tuple(n for n, v in batched.items() if compare(n, _repeated(v), v, limits).status == "fail")


def _repeated(value: Tensor) -> Tensor:
    return np.ascontiguousarray(np.broadcast_to(value[:1], value.shape))
