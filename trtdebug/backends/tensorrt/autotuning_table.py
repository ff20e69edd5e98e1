"""One of Myelin's autotuning tables in a build log, row by row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from trtdebug.backends.tensorrt.autotuned import AutotunedOp, Candidate, cost_of, normalised

_HASH = re.compile(r"0x[0-9a-fA-F]{1,16}")
_DECIMALS = re.compile(r"\d+\.(\d+)")


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        ratio: cost relative to the table's cheapest; None where the table has no such column.
        cost_error, ratio_error: by how much they may be off, being rounded.
    """

    number: str
    cost: float
    ratio: float | None
    cost_error: float
    ratio_error: float
    candidate: Candidate


@dataclass
class Table:
    """One of Myelin's tables, as far as it was read.

    Attributes:
        announced: its head was seen.
        columns: place by name; None before they were told.
        mixed: its lines alternate with those of another table, so that nothing is certain.
    """

    name: str
    key: str | None
    nodes: tuple[str, ...]
    announced: bool = False
    columns: Mapping[str, int] | None = None
    rows: list[Row] = field(default_factory=list)
    selected: str | None = None
    mixed: bool = False
    unknown: list[str] = field(default_factory=list)

    def continued_by(self, row: Row) -> bool:
        """Whether a row can be the next: rows are sorted, and each tells its cost relative to the cheapest.

        Lines of several threads may alternate; what a row says of itself tells tables apart.
        """
        if not self.rows or row.cost < self.rows[-1].cost or any(r.number == row.number for r in self.rows):
            return False
        first = self.rows[0]
        if row.ratio is None or first.ratio is None:
            return True
        fastest = first.cost / first.ratio
        error = (
            row.cost_error + row.ratio * first.cost_error + fastest * (row.ratio_error + first.ratio_error)
        )
        return abs(row.cost - row.ratio * fastest) <= 2 * error

    def add(self, row: Row) -> None:
        if not self.rows and row.ratio is not None and row.ratio - 1 > row.ratio_error:
            self.unknown.append("the cheapest tactics are missing")
        self.rows.append(row)

    def op(self) -> AutotunedOp:
        if self.mixed:
            told = "its tactics can't be told from those of another op: their lines alternate"
            return AutotunedOp(self.name, self.key, self.nodes, unknown=(told,))
        unknown = list(self.unknown)
        if not self.rows:
            unknown.append("the log holds no tactics of it")
        elif self.key is not None and self.selected is None:
            unknown.append("the log does not tell the choice; more tactics may be missing")
        return AutotunedOp(
            self.name,
            self.key,
            self.nodes,
            tuple(r.candidate for r in self.rows),
            self.selected,
            unknown=tuple(unknown),
        )


def read_row(line: str, columns: Mapping[str, int]) -> Row | None:
    """A row of a table with these columns; None where it is none. Columns that we do not know are passed over.

    A comma follows the hash: without it the row may have been cut off within the hash.
    """
    fields = [part.strip() for part in line.split(",")]
    told = {name: fields[place] for name, place in columns.items() if place < len(fields) - 1}
    tactic, cost = told.get("tactic_hash", ""), cost_of(told.get("cost(in ms)", ""))
    if cost is None or not _HASH.fullmatch(tactic):
        return None
    relative = told.get("cost/fastest_cost", "")
    return Row(
        fields[0],
        cost,
        cost_of(relative) or None,
        _rounding(told["cost(in ms)"]),
        _rounding(relative),
        Candidate(normalised(tactic), cost, told.get("kernel_name", "")),
    )


def _rounding(text: str) -> float:
    """Half of the last digit; one in a thousand of what is written otherwise than with decimals."""
    decimals = _DECIMALS.fullmatch(text)
    return 0.5 * 10.0 ** -len(decimals[1]) if decimals else (cost_of(text) or 0.0) * 1e-3
