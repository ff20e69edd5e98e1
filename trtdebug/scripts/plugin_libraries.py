"""Loads TensorRT's plugin libraries."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from trtdebug.core.errors import UserError


def load_plugins(trt: Any, logger: Any, libraries: Sequence[str]) -> None:
    """Loads TensorRT's own plugins and these libraries. Raises `UserError` for one that cannot be loaded."""
    registry = trt.get_plugin_registry()
    for library in libraries:
        before = _creators(registry)
        try:
            ctypes.CDLL(library)
        except OSError as error:
            raise UserError(f"the plugin library {library} cannot be loaded: {error}.") from None
        # Libraries that register nothing on loading offer their creators to the registry instead (V3).
        if _creators(registry) == before:
            registry.load_library(library)
    if hasattr(trt, "init_libnvinfer_plugins"):  # TensorRT-RTX has none
        trt.init_libnvinfer_plugins(logger, "")


def _creators(registry: Any) -> int:
    named = "all_creators" if hasattr(registry, "all_creators") else "plugin_creator_list"
    return len(getattr(registry, named))
