"""Other limits on stored numbers: as good as comparing again, or unknown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trtdebug.core.outcome import TensorError
from trtdebug.oracle.compare import compare
from trtdebug.oracle.rejudge import rejudge
from trtdebug.oracle.tolerance import Limits, OutputLimits
from trtdebug.oracle.verdict import worst

FP16 = Limits(rms=1e-2)
R = np.linspace(1, 2, 100, dtype=np.float32)
OFF = compare("y", R, R + np.float32(0.1), FP16)


def element(atol: float, rtol: float = 0.0) -> Limits:
    return Limits(1e-2, atol=atol, rtol=rtol)


def test_the_rms_rule_is_judged_exactly():
    assert OFF.status == "fail"
    assert rejudge(OFF, Limits(0.1)).status == "pass"
    tight = rejudge(OFF, Limits(1e-5))
    assert (tight.status, tight.kind, tight.rule) == ("fail", "mismatch", "||c - r|| / ||r|| <= 1e-05")


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (element(0.11), "pass"),
        (element(0.05), "fail"),
        (element(0.05, 0.04), "untestable"),
        (element(0, 0.01), "fail"),
    ],
)
def test_the_element_rule_is_judged_by_bounds(rule, status):
    """All errors are 0.1, the reference lies in [1, 2]."""
    again = rejudge(OFF, rule)
    assert again.status == status
    assert ("was not kept" in again.reason) == (status == "untestable")


@pytest.mark.parametrize("kind", ["nonfinite", "shape", "missing-output"])
def test_no_tolerance_helps_another_kind_of_failure(kind):
    error = TensorError("y", "fail", nonfinite=1, elements=3, compared=2, kind=kind)
    assert rejudge(error, Limits(1e9)) == error


def test_integers_stay_wrong_but_for_a_tolerance_by_name():
    error = compare("y", np.array([3, 4]), np.array([3, 5]), FP16)
    assert rejudge(error, element(10)).status == "fail"
    named = Limits(1e-2, outputs={"y": OutputLimits(atol=1.0)})
    assert rejudge(error, named).status == "pass"
    assert rejudge(error, named, samples=2).status == "untestable"


def test_of_several_samples_only_the_worst_is_known():
    """Under an element rule the sample that failed is stored; another one may have the larger RMS error."""
    stored = compare("y", R, R + np.float32(0.1), element(0.05))
    assert rejudge(stored, Limits(0.1), samples=1).status == "pass"
    assert rejudge(stored, Limits(0.1), samples=2).status == "untestable"
    assert rejudge(stored, Limits(1e-3), samples=2).status == "fail"


PAIRS = hnp.arrays(np.float32, (3, 2, 9), elements=st.floats(-100, 100, width=32))
LIMITS = st.one_of(
    st.builds(Limits, rms=st.sampled_from([0.0, 1e-3, 0.1, 1.0])),
    st.builds(element, st.sampled_from([0.0, 1e-3, 1.0, 50.0]), st.sampled_from([0.0, 0.1, 1.0])),
)


@given(PAIRS, LIMITS, LIMITS, st.integers(1, 3))
def test_never_another_verdict_than_comparing_again(pairs, old, new, samples):
    pairs = pairs[:samples]
    [stored] = worst([compare("y", r, c, old) for r, c in pairs])
    [again] = worst([compare("y", r, c, new) for r, c in pairs])
    found = rejudge(stored, new, samples)
    assert found.status in (again.status, "untestable")
    if samples == 1 and not new.elementwise:
        assert found.status == again.status


def test_how_close_it_is_follows_the_rule_and_is_not_known_by_element():
    assert rejudge(OFF, Limits(0.1)).of_limit == pytest.approx(OFF.rms_rel / 0.1)
    assert rejudge(OFF, element(0.2)).of_limit is None
