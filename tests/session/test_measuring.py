"""Numbers by metrics of extensions: NaN where there is none."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest

from trtdebug.plugins.contained import SECONDS_VARIABLE
from trtdebug.session.measuring import Measuring, Metrics

X = np.ones(2, np.float32)


def measured(value: Any) -> tuple[float, str]:
    measuring = Measuring(Metrics({"mine": lambda r, c: value}))
    return measuring.measure(X, X)["mine"], measuring.faults.get("mine", "")


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.array(2.0)])
def test_numbers(value: Any) -> None:
    assert measured(value) == (2.0, "")


@pytest.mark.parametrize("value", [None, "2", b"2", 2j, np.complex64(2), np.ones(2)])
def test_anything_else_is_no_number_and_is_told(value: Any) -> None:
    number, fault = measured(value)
    assert math.isnan(number)
    assert "TypeError" in fault


def test_what_took_too_long_in_one_trial_is_not_waited_for_in_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SECONDS_VARIABLE, "0.1")
    called = []

    def hanging(reference: Any, candidate: Any) -> float:
        called.append(reference)
        time.sleep(600)
        return 0.0

    metrics = Metrics({"hanging": hanging, "one": lambda r, c: 1.0})
    for measuring in (Measuring(metrics), Measuring(metrics)):
        found = measuring.measure(X, X)
        assert math.isnan(found["hanging"])
        assert found["one"] == 1.0
        assert measuring.faults == {"hanging": "took more than 0.1 s"}
    assert len(called) == 1
