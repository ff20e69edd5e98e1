"""trtdebug extension: NVIDIA ModelOpt's AutoCast as a fix proposer, beside trtdebug's own pins."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import FixProposer
from trtdebug_modelopt.autocast import SECONDS
from trtdebug_modelopt.fix import propose


@hookimpl
def trtdebug_fixes() -> Iterable[FixProposer]:
    yield FixProposer(
        "autocast",
        "pins what NVIDIA ModelOpt's AutoCast keeps in FP32",
        propose=propose,
        seconds=SECONDS + 120.0,
    )
