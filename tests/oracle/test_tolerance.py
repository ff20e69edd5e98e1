"""Which limits a case gets."""

from __future__ import annotations

import pytest

from trtdebug.core.case import BuildOptions, OutputTolerance, Tolerance
from trtdebug.core.jsonable import dumps, loads
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


def test_an_output_by_name_has_its_own_limits():
    given = Tolerance(
        rms_rel=0.1,
        outputs={
            "a": OutputTolerance(atol=1e-3),
            "b:0": OutputTolerance(rms_rel=0.5),
            "c": OutputTolerance(),
        },
    )
    found = limits(given, BuildOptions(precision="fp16"))
    assert found.of("a") == Limits(0.1, 1e-3, 0.0, own=True)
    assert found.of("b:0") == Limits(0.5, own=True)
    assert found.of("c") == found.of("other") == Limits(0.1)
    assert found.of("b").rms == 0.1, "names are exact, no prefixes"


def test_one_part_by_name_and_the_other_for_all_hold_both():
    given = Tolerance(rtol=1e-2, outputs={"y": OutputTolerance(atol=1e-3)})
    found = limits(given, BuildOptions(precision="fp16"))
    assert found.of("y").element_rule() == "|c - r| <= 0.001 + 0.01 * |r|"
    assert found.of("x").element_rule() == "|c - r| <= 0 + 0.01 * |r|"
    assert found.describe() == "|c - r| <= 0 + 0.01 * |r|; y: |c - r| <= 0.001 + 0.01 * |r|"


def test_an_rms_limit_by_name_takes_the_place_of_the_element_rule():
    given = Tolerance(rtol=1e-2, outputs={"y": OutputTolerance(rms_rel=0.2)})
    assert not limits(given, BuildOptions()).of("y").elementwise


def test_limits_follow_outputs_that_are_renamed():
    found = limits(Tolerance(outputs={"y": OutputTolerance(rms_rel=0.5)}), BuildOptions())
    moved = found.renamed({"y__from__n": "y", "t__from__m": "t"})
    assert moved.of("y__from__n").rms == 0.5
    assert moved.of("t__from__m") == moved.of("y")


def test_limits_travel_as_json():
    found = limits(Tolerance(outputs={"y": OutputTolerance(rms_rel=0.5)}), BuildOptions())
    assert loads(dumps(found), Limits) == found
