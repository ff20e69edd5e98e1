"""Errors of a tensor as they are told: no number where no element could be compared, and a 0 would say nothing."""

from __future__ import annotations

from typing import Any

from trtdebug.core.jsonable import to_data
from trtdebug.core.outcome import TensorError

NOT_KNOWN = "n/a"
_NUMBERS = ("max_abs", "max_rel", "rms_rel")


def known(error: TensorError, value: float) -> float | None:
    """A number of this error, such as its `rms_rel`; None where no element could be compared."""
    return None if error.compared == 0 else value


def number_text(value: float | str | None) -> str:
    """Three digits; what is not finite is a word in reports, and None is n/a."""
    if value is None:
        return NOT_KNOWN
    return value if isinstance(value, str) else f"{value:.3g}"


def error_text(error: TensorError, value: float) -> str:
    """A number of this error as text."""
    return number_text(known(error, value))


def told_data(value: Any) -> Any:
    """As `to_data`, for who reads it: numbers of errors are null where no element could be compared."""
    return _without(to_data(value))


def _without(data: Any) -> Any:
    if isinstance(data, (list, tuple)):
        return [_without(item) for item in data]
    if not isinstance(data, dict):
        return data
    shown = {key: _without(value) for key, value in data.items()}
    nothing = shown.get("compared") == 0 and all(name in shown for name in _NUMBERS)
    return shown | dict.fromkeys(_NUMBERS) if nothing else shown
