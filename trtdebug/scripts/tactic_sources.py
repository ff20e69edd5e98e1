"""Tactic sources of whatever TensorRT is here."""

from __future__ import annotations

from typing import Any

from trtdebug.core.errors import UserError


def set_tactic_sources(trt: Any, config: Any, value: str) -> None:
    """Plain names are all there are; "-NAME" drops one of the default, or nothing where this version lacks it.

    Raises:
        UserError: this version cannot be told so.
    """
    words = value.split(",")
    mask = config.get_tactic_sources() if all(word.startswith("-") for word in words) else 0
    for word in words:
        source = getattr(trt.TacticSource, word.removeprefix("-"), None)
        if source is not None:
            bit = 1 << int(source)
            mask = mask & ~bit if word.startswith("-") else mask | bit
        elif not word.startswith("-"):
            raise UserError(f"TensorRT {trt.__version__} has no tactic source {word}")
    if not config.set_tactic_sources(mask):
        raise UserError(f"TensorRT {trt.__version__} does not take the tactic sources {value}")
