"""An error of nothing is told as no number, and never as 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from trtdebug.core.outcome import TensorError
from trtdebug.core.told import error_text, known, told_data
from trtdebug.oracle.compare import compare
from trtdebug.oracle.tolerance import Limits


@dataclass(frozen=True)
class Holder:
    rows: tuple[TensorError, ...]


def error(candidate: float) -> TensorError:
    limits = Limits(rms=0.1)
    reference = np.ones(4, np.float32)
    return compare("y", reference, np.array([candidate] * 3 + [np.nan], np.float32), limits)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_an_error_over_no_element_is_no_number(odd: float) -> None:
    found = error(odd)
    assert known(found, found.rms_rel) is None
    assert error_text(found, found.max_abs) == "n/a"
    [row] = told_data(Holder((found,)))["rows"]
    assert (row["max_abs"], row["max_rel"], row["rms_rel"], row["nonfinite"]) == (None, None, None, 4)


def test_any_other_error_is_told_as_it_is() -> None:
    found = error(1.5)
    assert known(found, found.max_abs) == 0.5
    assert error_text(found, found.max_abs) == "0.5"
    assert told_data(found)["rms_rel"] == 0.5
    uncounted = TensorError("y", "fail", max_abs=2.0)
    assert known(uncounted, uncounted.max_abs) == 2.0
