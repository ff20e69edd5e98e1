"""When are a plan's outputs those of the whole model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trtdebug.backends.run_plan import differences, main

X = np.array([1.0, -2.0, 3e-9, 4.0], np.float32)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (X, ""),
        (X * np.float32(1 + 1e-7), ""),
        (X * np.float32(1 + 1e-4), "relative RMS error 0.0001"),
        (X.astype(np.float64), "float64[4] instead of float32[4]"),
        (X[:3], "float32[3] instead of float32[4]"),
        (np.array([1, np.nan, 0, 4], np.float32), "NaN or Inf at other places"),
    ],
)
def test_floats(given, says: str) -> None:
    found = differences({"y": X}, {"y": given})
    assert found == ({"y": says} if says else {})


def test_nan_and_inf_at_the_same_places_are_equal() -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
    assert differences({"y": odd}, {"y": odd.copy()}) == {}
    assert differences({"y": odd}, {"y": -odd}) == {"y": "NaN or Inf at other places"}


def test_zeros_are_compared_by_themselves() -> None:
    zero = np.zeros(3, np.float32)
    assert differences({"y": zero}, {"y": zero}) == {}
    assert differences({"y": zero}, {"y": zero + np.float32(0.5)}) == {"y": "relative RMS error 0.5"}
    assert differences({"y": zero[:0]}, {"y": zero[:0]}) == {}


def test_others_have_to_be_equal() -> None:
    assert differences({"i": np.array([1, 2])}, {"i": np.array([1, 3])}) == {"i": "other values"}
    assert differences({"s": np.array(["a"], object)}, {"s": np.array(["a"], object)}) == {}
    assert differences({"l": [X, X]}, {"l": [X, X]}) == {}
    assert differences({"l": [X, X]}, {"l": [X]}) == {"l": "another sequence"}


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text('{"parts": []}')
    assert main([str(tmp_path / "plan.json"), str(tmp_path / "inputs.npz")]) == 2
    assert "inputs.npz" in capsys.readouterr().out
