"""The layer table: sorted, and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Literal, get_args

from trtdebug.core.outcome import TensorError
from trtdebug.core.told import NOT_KNOWN, known
from trtdebug.scripts.words import printable
from trtdebug.stages.observing.table import Row

SortBy = Literal["order", "propagated", "local", "max-abs", "nonfinite", "op", "tensor"]
SORTS: tuple[SortBy, ...] = get_args(SortBy)

_HEAD = ("tensor", "node", "op", "status", "propagated_rms", "local_rms", "max_abs", "nonfinite", "elements")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def sorted_rows(rows: Sequence[Row], by: SortBy) -> tuple[Row, ...]:
    """Rows with the largest error first, by name, or in the model's order; equal ones keep that order."""
    if by == "order":
        return tuple(rows)
    if by in ("op", "tensor"):
        return tuple(sorted(rows, key=lambda row: (row.op if by == "op" else row.tensor).casefold()))
    return tuple(sorted(rows, key=lambda row: _size(row, by), reverse=True))


def nonfinite(row: Row) -> int:
    """Elements that are NaN or Inf on one side only: in the whole candidate or of the node by itself, the more."""
    return max(row.propagated.nonfinite, row.local.nonfinite if row.local else 0)


def _size(row: Row, by: SortBy) -> tuple[float, float]:
    """NaN and Inf on one side only count for more than any number."""
    if by == "nonfinite":
        return nonfinite(row), _number(row.propagated.rms_rel)
    if by == "local":
        local = row.local
        return (local.nonfinite, _number(local.rms_rel)) if local is not None else (-1, 0.0)
    value = row.propagated.max_abs if by == "max-abs" else row.propagated.rms_rel
    return row.propagated.nonfinite, _number(value)


def _number(value: float) -> float:
    return math.inf if math.isnan(value) else value


def layer_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV (RFC 4180). No name is taken for a formula by a spreadsheet, or acts on a terminal."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow((*_HEAD, "reason"))
    for row in rows:
        error, local = row.propagated, row.local
        bad = next((e for e in (local, error) if e is not None and e.status == "fail"), error)
        own = _cell(local, local.rms_rel) if local is not None else ""
        writer.writerow(
            (
                *map(csv_text, (row.tensor, row.node, row.op)),
                bad.status,
                *(
                    _cell(error, error.rms_rel),
                    own,
                    _cell(error, error.max_abs),
                    nonfinite(row),
                    error.elements,
                ),
                csv_text(bad.reason),
            )
        )
    return text.getvalue()


def _cell(error: TensorError, value: float) -> float | str:
    shown = known(error, value)
    return NOT_KNOWN if shown is None else shown


def csv_text(text: str) -> str:
    """A cell of text; a quote stands before what a spreadsheet would compute."""
    plain = printable(text)
    return f"'{plain}" if text.lstrip(" ").startswith(_FORMULA) else plain
