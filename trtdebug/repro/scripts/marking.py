"""Marks tensors of a TensorRT network as outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtdebug.backends.tensorrt.layers import read_layers
from trtdebug.backends.tensorrt.outputs import mark_tensors
from trtdebug.repro.scripts.result import Untestable
from trtdebug.scripts.versions import before_10


def mark(trt: Any, network: Any, tensors: Sequence[str]) -> None:
    """Makes outputs of these. Raises `Untestable` where one cannot be."""
    if not tensors:
        return
    skipped = mark_tensors(network, read_layers(network), tensors, not before_10(trt))
    if skipped:
        tensor, reason = next(iter(skipped.items()))
        raise Untestable(f"{tensor} cannot be marked as an output: {reason}")
