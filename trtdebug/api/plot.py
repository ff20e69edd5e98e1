"""The errors of all tensors by depth, as an inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from trtdebug.core.outcome import TensorError
from trtdebug.core.told import error_text
from trtdebug.scripts.words import printable
from trtdebug.stages.observing.table import Row

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 760, 220, 52, 24  # pixels
_LOWEST, _HIGHEST = -8, 2  # powers of ten; what lies beyond stands at the border
_COLUMNS = 700
_SERIES = (("propagated", "#0969da"), ("local", "#d4700a"))


def error_by_depth(rows: Sequence[Row]) -> str:
    """Relative RMS errors, log scale, over the position in topological order.

    Of tensors that share a pixel the worst is drawn. NaN and Inf on one side only stand at the top.
    """
    columns = min(len(rows), _COLUMNS)
    points = "".join(
        point
        for name, colour in _SERIES
        for point in _points([(r.tensor, getattr(r, name)) for r in rows], columns, name, colour)
    )
    label = f"relative RMS error of {len(rows)} tensors by depth"
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'style="max-width:100%;color:inherit" fill="currentColor" font-size="11">'
        f"<title>{label}</title>{''.join(_grid())}{points}</svg>"
    )


def _grid() -> Iterator[str]:
    for power in range(_LOWEST, _HIGHEST + 1, 2):
        y = _y(10.0**power)
        yield (
            f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity=".15"/>'
            f'<text x="0" y="{y + 4:.1f}">{"NaN, Inf" if power == _HIGHEST else f"1e{power}"}</text>'
        )
    for number, (name, colour) in enumerate(_SERIES):
        x = _LEFT + 110 * number
        yield (
            f'<circle cx="{x + 5}" cy="{_HEIGHT - 8}" r="4" fill="{colour}"/>'
            f'<text x="{x + 14}" y="{_HEIGHT - 4}">{name}</text>'
        )


def _points(
    errors: Sequence[tuple[str, TensorError | None]], columns: int, name: str, colour: str
) -> Iterator[str]:
    worst: dict[int, tuple[str, TensorError]] = {}
    for position, (tensor, error) in enumerate(errors):
        column = position * columns // len(errors)
        if error is not None and (column not in worst or _height(error) > _height(worst[column][1])):
            worst[column] = (tensor, error)
    for column, (tensor, error) in worst.items():
        x = _LEFT + 6 + (_WIDTH - _LEFT - 12) * column / max(columns - 1, 1)
        ring = ' stroke="#cf222e" stroke-width="2"' if error.status == "fail" else ""
        nonfinite = f", {error.nonfinite} NaN or Inf" if error.nonfinite else ""
        title = escape(printable(f"{tensor}: {name} {error_text(error, error.rms_rel)}{nonfinite}"))
        yield (
            f'<circle cx="{x:.1f}" cy="{_y(_height(error)):.1f}" r="3" fill="{colour}"{ring}>'
            f"<title>{title}</title></circle>"
        )


def _height(error: TensorError) -> float:
    return math.inf if error.nonfinite or math.isnan(error.rms_rel) else error.rms_rel


def _y(error: float) -> float:
    power = min(max(math.log10(error) if error > 0 else _LOWEST, _LOWEST), _HIGHEST)
    return 10 + (_HEIGHT - _BOTTOM - 20) * (_HIGHEST - power) / (_HIGHEST - _LOWEST)
