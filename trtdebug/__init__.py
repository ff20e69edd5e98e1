"""trtdebug: from an ONNX model that goes wrong in TensorRT to its smallest cause, a verified fix and a repro.

`trtdebug.debug(model, fp16=True)` is what `trtdebug run MODEL --fp16` does. Importing the package loads next to
nothing: each name below is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from trtdebug.scripts.telemetry import keep_to_ourselves

__version__ = "0.1.0"

if TYPE_CHECKING:
    from trtdebug.api.arguments import CaseArguments as CaseArguments
    from trtdebug.api.assertion import assert_matches as assert_matches
    from trtdebug.api.debug import debug as debug
    from trtdebug.api.layers import LayerTable as LayerTable
    from trtdebug.api.layers import compare as compare
    from trtdebug.api.result import DebugResult as DebugResult
    from trtdebug.core.errors import UserError as UserError

_HOMES = {
    "CaseArguments": "trtdebug.api.arguments",
    "DebugResult": "trtdebug.api.result",
    "LayerTable": "trtdebug.api.layers",
    "UserError": "trtdebug.core.errors",
    "assert_matches": "trtdebug.api.assertion",
    "compare": "trtdebug.api.layers",
    "debug": "trtdebug.api.debug",
}

__all__ = [*_HOMES, "__version__"]

keep_to_ourselves()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
