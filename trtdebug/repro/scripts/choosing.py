"""Indices that ArgMax, ArgMin and TopK choose: another choice among values that are as good as equal is no failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trtdebug.repro.scripts.comparing import NEGLIGIBLE
from trtdebug.repro.scripts.result import Row, Tensor
from trtdebug.scripts.ties import other_choices


def judge_choice(
    row: Row, reference: Tensor, candidate: Tensor, values: Tensor, choice: Mapping[str, Any]
) -> Row:
    """The row of an output that holds indices, by the reference's `values` that both sides should have chosen from.

    Args:
        row: as `compare` has it for the bare integers.
        choice: an entry of `choices` in repro.json.
    """
    whole = {reference.dtype.kind, candidate.dtype.kind} <= {"i", "u"}
    if row.kind != "mismatch" or not whole:
        return row
    rule = max(choice["limit"], NEGLIGIBLE), choice["atol"], choice["rtol"]
    found = other_choices(reference, candidate, values, choice["axis"], choice["keepdims"], *rule)
    if found is None or found.far:
        return row
    told = f"{found.count} of {row.elements} choices differ, between near-equal values"
    return replace(row, kind=None, unsure=found.apart > 0, note=told)
