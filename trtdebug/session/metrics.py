"""Registers the built-in metrics."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.oracle.metrics import cosine, sqnr
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Metric


@hookimpl
def trtdebug_metrics() -> Iterable[Metric]:
    return (
        Metric("cosine", "cosine similarity", cosine),
        Metric("sqnr_db", "signal to quantisation noise ratio, dB", sqnr),
    )
