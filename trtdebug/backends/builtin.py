"""Registers the built-in backends."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.backends.base import Backend
from trtdebug.plugins.spec import hookimpl


@hookimpl
def trtdebug_backends() -> Iterable[Backend]:
    from trtdebug.backends.emulator import EmulatorBackend
    from trtdebug.backends.onnxruntime import OnnxruntimeBackend
    from trtdebug.backends.tensorrt.backend import TensorrtBackend

    return (TensorrtBackend(), EmulatorBackend(), OnnxruntimeBackend())
