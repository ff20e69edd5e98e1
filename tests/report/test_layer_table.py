"""The layer table as CSV, and sorted."""

from __future__ import annotations

import csv
import io
import math

import pytest
from diagnoses import EVIL_NAMES

from trtdebug.core.outcome import TensorError
from trtdebug.report.layer_table import SORTS, layer_csv, sorted_rows
from trtdebug.stages.observing.table import Row

ROWS = (
    Row("b", "n0", "Mul", TensorError("b", "pass", 2.0, 0.1, 0.1), TensorError("b", "pass", rms_rel=0.3)),
    Row("a", "n1", "Add", TensorError("a", "fail", 1.0, 0.2, 0.2, 0, kind="mismatch"), None),
    Row("c", "n2", "Abs", TensorError("c", "fail", 0.0, 0.0, 0.0, 7, kind="nonfinite"), None),
    Row("d", "n3", "Neg", TensorError("d", "fail", math.inf, math.inf, math.nan, 0, kind="shape"), None),
)


@pytest.mark.parametrize(
    ("by", "order"),
    [
        *(("order", "bacd"), ("propagated", "cdab"), ("local", "bacd"), ("max-abs", "cdba")),
        *(("nonfinite", "cdab"), ("op", "cabd"), ("tensor", "abcd")),
    ],
)
def test_the_largest_error_comes_first(by: str, order: str) -> None:
    assert by in SORTS
    assert "".join(row.tensor for row in sorted_rows(ROWS, by)) == order


def test_an_error_of_nothing_is_no_number() -> None:
    error = TensorError("y", "fail", nonfinite=8, elements=8, kind="nonfinite", compared=0)
    [row] = csv.DictReader(io.StringIO(layer_csv([Row("y", "n", "Exp", error, error)])))
    assert [row[key] for key in ("propagated_rms", "local_rms", "max_abs", "nonfinite")] == ["n/a"] * 3 + [
        "8"
    ]


@pytest.mark.parametrize(
    "name", [*EVIL_NAMES, "=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1", " =1", '",\n"']
)
def test_no_name_leaves_its_cell_or_is_a_formula(name: str) -> None:
    error = TensorError(name, "fail", reason=name)
    text = layer_csv([Row(name, name, name, error, None)])
    head, row = csv.reader(io.StringIO(text, newline=""))
    assert len(head) == len(row)
    assert len(text.split("\r\n")) == 3
    assert not [cell for cell in row if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert all(c.isprintable() or c in "\r\n" for c in text)
    text.encode("utf-8")


def test_numbers_stay_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(layer_csv(ROWS), newline="")))
    assert [float(r["propagated_rms"]) for r in rows[:3]] == [0.1, 0.2, 0.0]
    assert [r["local_rms"] for r in rows[:2]] == ["0.3", ""]


def test_the_reason_and_the_number_of_nan_and_inf_agree() -> None:
    local = TensorError("x", "fail", nonfinite=719, elements=1024, kind="nonfinite", reason="719 of 1024")
    whole = TensorError("x", "fail", nonfinite=718, elements=1024, kind="nonfinite", reason="718 of 1024")
    (row,) = csv.DictReader(io.StringIO(layer_csv([Row("x", "n", "Pow", whole, local)]), newline=""))
    assert (row["nonfinite"], row["reason"]) == ("719", "719 of 1024")
