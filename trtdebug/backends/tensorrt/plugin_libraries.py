"""Plugin libraries: loads them, and finds out beforehand, in a child process, whether they can be loaded."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.child import NotRun, run_python
from trtdebug.core.errors import BuildFailure

_REFUSED = 3
_CHILD = f"""
import sys
from trtdebug.backends.tensorrt.plugin_libraries import load_plugin_libraries
from trtdebug.core.errors import BuildFailure
try:
    load_plugin_libraries(sys.argv[1:])
except BuildFailure as failure:
    print(failure.message, file=sys.stderr)
    sys.exit({_REFUSED})
"""


def load_plugin_libraries(paths: Sequence[str]) -> tuple[str, ...]:
    """Loads plugin libraries and registers their creators, each library once a process.

    Returns:
        those that registered nothing.

    Raises:
        BuildFailure: a file is missing or is no library.
    """
    return tuple(path for path in paths if not _load(path))


@cache
def _load(path: str) -> bool:
    """Whether the library registers plugins."""
    import tensorrt as trt

    registry = trt.get_plugin_registry()
    before = _creators(registry)
    try:
        ctypes.CDLL(path)
    except OSError as error:
        raise BuildFailure(f"the plugin library {path} cannot be loaded: {error}.") from error
    # Libraries that register nothing on loading offer their creators to the registry instead (V3).
    if _creators(registry) == before:
        registry.load_library(path)
    return _creators(registry) > before


def _creators(registry: Any) -> int:
    found = compat.optional(registry, "IPluginRegistry.all_creators")
    return len(found if found is not None else registry.plugin_creator_list)


def libraries_obstacle(paths: Sequence[str]) -> str:
    """Why these libraries cannot be loaded beside TensorRT; empty when they can. A crash is a reason too."""
    if not paths:
        return ""
    libraries = " and ".join(paths)
    try:
        done = run_python(_CHILD, *paths)
    except NotRun as reason:
        return f"the process that loaded {libraries} {reason}"
    if done.code == _REFUSED:
        return done.stderr.strip().splitlines()[-1]
    return f"the process that loaded {libraries} {done.how}" if done.code else ""
