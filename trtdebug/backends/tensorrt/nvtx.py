"""Ranges on the timeline of Nsight Systems, where the package `nvtx` is installed."""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def marked(name: str) -> AbstractContextManager[Any]:
    """Within, the timeline shows a range of this name; TensorRT puts the ranges of its layers into it."""
    if importlib.util.find_spec("nvtx") is None:
        return nullcontext()
    nvtx: Any = importlib.import_module("nvtx")
    mark: AbstractContextManager[Any] = nvtx.annotate(name, domain="trtdebug")
    return mark
