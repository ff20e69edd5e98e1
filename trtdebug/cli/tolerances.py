"""What --atol, --rtol and --rms say: VALUE for all outputs, NAME:VALUE for one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

import typer

if TYPE_CHECKING:
    from trtdebug.core.case import Tolerance

METAVAR = "[NAME:]VALUE"


def checked(values: Optional[list[str]]) -> Optional[list[str]]:  # noqa: UP045 - typer evaluates this
    """Callback of such an option: raises typer.BadParameter for what `split` does not take."""
    given = [_split(value)[0] for value in values or ()]
    if len(set(given)) < len(given):
        twice = next(name for name in given if given.count(name) > 1)
        raise typer.BadParameter(f"{twice!r} is given twice." if twice else "two values for all outputs.")
    return values


def tolerance(
    atol: Sequence[str] | None, rtol: Sequence[str] | None, rms: Sequence[str] | None = None
) -> Tolerance:
    """The tolerance that checked values of the three options say."""
    from trtdebug.core.case import OutputTolerance, Tolerance

    parts = [dict(map(_split, values or ())) for values in (atol, rtol, rms)]
    names = dict.fromkeys(name for part in parts for name in part if name)
    outputs = {name: OutputTolerance(*(part.get(name) for part in parts)) for name in names}
    every = (part.get("") for part in parts)
    return Tolerance(next(every), next(every), next(every), outputs)


def _split(text: str) -> tuple[str, float]:
    """Name ("" for all outputs) and value; a name may hold colons, so the last one divides."""
    name, colon, number = text.rpartition(":")
    if colon and not name:
        raise typer.BadParameter(f"{text!r} has no name before the colon.")
    try:
        value = float(number)
    except ValueError:
        raise typer.BadParameter(f"{number!r} is not a number.") from None
    if math.isnan(value):
        raise typer.BadParameter("nan is not a number.")
    if value < 0:
        raise typer.BadParameter(f"{value:g} is less than 0.")
    return name, value
