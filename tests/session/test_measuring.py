"""Numbers by metrics of extensions: NaN where there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from trtdebug.session.measuring import Measuring

X = np.ones(2, np.float32)


def measured(value: Any) -> tuple[float, str]:
    measuring = Measuring({"mine": lambda r, c: value})
    return measuring.measure(X, X)["mine"], measuring.faults.get("mine", "")


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.array(2.0)])
def test_numbers(value: Any) -> None:
    assert measured(value) == (2.0, "")


@pytest.mark.parametrize("value", [None, "2", b"2", 2j, np.complex64(2), np.ones(2)])
def test_anything_else_is_no_number_and_is_told(value: Any) -> None:
    number, fault = measured(value)
    assert math.isnan(number)
    assert "TypeError" in fault
