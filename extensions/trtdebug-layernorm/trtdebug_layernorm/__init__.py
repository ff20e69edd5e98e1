"""trtdebug extension: decomposed LayerNorm and RMSNorm that overflow FP16."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.plugins.rewrites import rewrite_fix
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check, FixProposer
from trtdebug_layernorm.check import find_overflows
from trtdebug_layernorm.fix import pin_norms
from trtdebug_layernorm.operator import REWRITE


@hookimpl
def trtdebug_checks() -> Iterable[Check]:
    yield Check(
        "layernorm-overflow", "decomposed LayerNorm or RMSNorm beyond the FP16 range", run=find_overflows
    )


@hookimpl
def trtdebug_fixes() -> Iterable[FixProposer]:
    yield FixProposer(
        "layernorm-pin", "pins a LayerNorm from its square to its square root", propose=pin_norms
    )
    yield rewrite_fix(REWRITE)
