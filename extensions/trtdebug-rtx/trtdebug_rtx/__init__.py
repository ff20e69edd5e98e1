"""trtdebug extension: TensorRT-RTX as a backend."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.backends.base import Backend
from trtdebug.plugins.spec import hookimpl
from trtdebug_rtx.backend import RtxBackend


@hookimpl
def trtdebug_backends() -> Iterable[Backend]:
    yield RtxBackend()
