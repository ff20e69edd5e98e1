"""Which TensorRT is here."""

from __future__ import annotations

from typing import Any


def before_10(trt: Any) -> bool:
    """Whether it is one that often fails to build a network with boolean outputs."""
    return str(trt.__version__).startswith(("8.", "9."))
