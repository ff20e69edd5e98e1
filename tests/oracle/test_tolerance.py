"""Which limits a case gets."""

from __future__ import annotations

import pytest

from trtdebug.core.case import BuildOptions, Tolerance
from trtdebug.oracle.tolerance import Limits, limits


@pytest.mark.parametrize(
    ("precision", "tf32", "rms"),
    [
        ("fp32", False, 1e-5),
        ("fp32", True, 1e-3),
        ("fp16", True, 1e-2),
        ("fp16", False, 1e-2),
        ("bf16", True, 8e-2),
        ("int8", True, 1e-1),
    ],
)
def test_default_is_the_precisions_own(precision, tf32, rms):
    found = limits(Tolerance(), BuildOptions(precision=precision, tf32=tf32))
    assert found == Limits(rms=rms)
    assert not found.elementwise
    assert found.describe() == f"||c - r|| / ||r|| <= {rms:g}"


def test_the_users_rms_wins():
    assert limits(Tolerance(rms_rel=0.5), BuildOptions(precision="fp16")).rms == 0.5
    assert limits(Tolerance(rms_rel=0.0), BuildOptions(precision="fp16")).rms == 0.0


@pytest.mark.parametrize(
    ("tolerance", "text"),
    [
        (Tolerance(atol=1e-3), "|c - r| <= 0.001 + 0 * |r|"),
        (Tolerance(rtol=1e-2), "|c - r| <= 0 + 0.01 * |r|"),
        (Tolerance(atol=0.0), "|c - r| <= 0 + 0 * |r|"),
        (Tolerance(atol=1e-3, rtol=1e-2, rms_rel=1.0), "|c - r| <= 0.001 + 0.01 * |r|"),
    ],
)
def test_element_rule_as_soon_as_atol_or_rtol(tolerance, text):
    found = limits(tolerance, BuildOptions(precision="fp16"))
    assert found.elementwise
    assert found.describe() == text
