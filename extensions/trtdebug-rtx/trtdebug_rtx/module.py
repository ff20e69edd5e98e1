"""The tensorrt_rtx module, and its one logger."""

from __future__ import annotations

import importlib.util
from functools import cache
from types import ModuleType
from typing import Any

# The second is what the first gives on, and all there is where only NVIDIA's wheels are installed.
_NAMES = ("tensorrt_rtx", "tensorrt_rtx_bindings")

said: list[str] = []
"""TensorRT-RTX's warnings and errors, each on one line; cleared by who wants to know the next ones."""


def installed() -> str:
    """Name of the module; empty where TensorRT-RTX is not installed."""
    return next((name for name in _NAMES if importlib.util.find_spec(name) is not None), "")


@cache
def tensorrt_rtx() -> ModuleType:
    """The module. Raises ImportError where it is not installed or broken."""
    return importlib.import_module(installed() or _NAMES[0])


@cache
def logger() -> Any:
    """The process's logger: TensorRT-RTX keeps the first that it gets and ignores all others."""
    trt: Any = tensorrt_rtx()

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # without it the bindings refuse the object

        def log(self, severity: Any, message: str) -> None:
            if severity.name in ("ERROR", "INTERNAL_ERROR"):
                said.append(" ".join(message.split()))

    return Logger()


def last_words(otherwise: str) -> str:
    """The first error since `said` was cleared."""
    return said[0] if said else otherwise
