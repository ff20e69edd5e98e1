"""Fields of what hooks return are held against their types when they are returned, not when they are used."""

from __future__ import annotations

from typing import Any

import pytest

from trtdebug.plugins.fields import fault
from trtdebug.plugins.types import Check, InputSource, Metric, Operator, ReportFormat


def work(*_: object) -> Any: ...


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Check("c", 5, work), "summary is int, not text"),  # type: ignore[arg-type]
        (Check("c", "", None), "run is NoneType, and has to be a function"),  # type: ignore[arg-type]
        (Check("c", "", work, "a lot"), "seconds is 'a lot', not a number above 0"),  # type: ignore[arg-type]
        (Check("c", "", work, -1), "seconds is -1"),
        (Check("c", "", work, float("nan")), "seconds is nan"),
        (Metric("m", "", "x"), "compute is str"),  # type: ignore[arg-type]
        (InputSource("i", "", work, []), "load is list"),  # type: ignore[arg-type]
        (ReportFormat("r", "", 5, work), "filename is int"),  # type: ignore[arg-type]
        (Operator("O", "d", compute="x"), "compute is str"),  # type: ignore[arg-type]
    ],
)
def test_what_is_wrong_is_said(value: object, said: str) -> None:
    assert said in fault(value)


@pytest.mark.parametrize(
    "value",
    [Check("c", "", work, 0.5), Operator("O"), ReportFormat("r", "", "f", work), Metric("m", "", work)],
)
def test_what_is_right_and_what_may_be_left_out_is_taken(value: object) -> None:
    assert fault(value) == ""
