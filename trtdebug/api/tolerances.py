"""What --atol, --rtol and --rms say: VALUE for all outputs, NAME:VALUE for one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trtdebug.core.case import OutputTolerance, Tolerance
from trtdebug.core.errors import UserError


def tolerance(
    atol: Sequence[str] | None, rtol: Sequence[str] | None, rms: Sequence[str] | None = None
) -> Tolerance:
    """The tolerance that these values of the three options say. Raises `UserError` as `named_values` does."""
    parts = [named_values(values or ()) for values in (atol, rtol, rms)]
    names = dict.fromkeys(name for part in parts for name in part if name)
    outputs = {name: OutputTolerance(*(part.get(name) for part in parts)) for name in names}
    every = (part.get("") for part in parts)
    return Tolerance(next(every), next(every), next(every), outputs)


def named_values(texts: Sequence[str]) -> dict[str, float]:
    """Values by output name, "" for all outputs.

    Raises:
        UserError: no number of 0 or more, or two values for one name.
    """
    values: dict[str, float] = {}
    for name, value in map(_split, texts):
        if name in values:
            raise UserError(f"{name!r} is given twice." if name else "two values for all outputs.")
        values[name] = value
    return values


def _split(text: str) -> tuple[str, float]:
    """Name ("" for all outputs) and value; a name may hold colons, so the last one divides."""
    name, colon, number = text.rpartition(":")
    if colon and not name:
        raise UserError(f"{text!r} has no name before the colon.")
    try:
        value = float(number)
    except ValueError:
        raise UserError(f"{number!r} is not a number.") from None
    if math.isnan(value):
        raise UserError("nan is not a number.")
    if value < 0:
        raise UserError(f"{value:g} is less than 0.")
    return name, value
