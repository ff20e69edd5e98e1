"""What holds of the oracle whatever the tensors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trtdebug.core.outcome import TensorError
from trtdebug.oracle.compare import compare
from trtdebug.oracle.indices import judge_choice
from trtdebug.oracle.tolerance import Limits, OutputLimits
from trtdebug.oracle.verdict import judge, worst

RANK = {"fail": 0, "untestable": 1, "pass": 2}
FP16 = Limits(rms=1e-2)

NUMBERS = st.floats(-1000, 1000, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0])
PAIRS = hnp.arrays(np.float32, st.tuples(st.just(2), st.integers(1, 40)), elements=NUMBERS)
FINITE = hnp.arrays(
    np.float32, st.tuples(st.just(2), st.integers(1, 40)), elements=st.floats(-1000, 1000, width=32)
)
TOLERANCE = st.sampled_from([0.0, 1e-6, 1e-3, 1e-2, 0.1, 1.0, 10.0])


def limits(by_element: bool, value: float) -> Limits:
    return Limits(1e-2, atol=value, rtol=value) if by_element else Limits(value)


@given(PAIRS, st.booleans(), TOLERANCE, TOLERANCE)
def test_a_looser_tolerance_is_never_a_worse_verdict(pair, by_element, one, other):
    tight, loose = (limits(by_element, v) for v in sorted((one, other)))
    assert RANK[compare("y", *pair, loose).status] >= RANK[compare("y", *pair, tight).status]


@given(PAIRS)
def test_nan_patterns_and_absolute_errors_know_no_side(pair):
    r, c = pair
    there, back = compare("y", r, c, FP16), compare("y", c, r, FP16)
    assert (there.nonfinite, there.max_abs, there.compared) == (back.nonfinite, back.max_abs, back.compared)
    assert (there.kind == "nonfinite") == (back.kind == "nonfinite")


@given(PAIRS, st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_elements_does_not_matter(pair, by_element, random):
    order = list(range(pair.shape[1]))
    random.shuffle(order)
    rule = limits(by_element, 1e-2)
    a, b = compare("y", *pair, rule), compare("y", *pair[:, order], rule)
    assert (a.status, a.kind, a.nonfinite, a.max_abs, a.lost) == (
        b.status,
        b.kind,
        b.nonfinite,
        b.max_abs,
        b.lost,
    )


@given(PAIRS, st.booleans())
def test_the_shape_does_not_matter(pair, by_element):
    rule = limits(by_element, 1e-2)
    flat, tall = compare("y", *pair, rule), compare("y", *pair[:, :, None], rule)
    assert flat == tall


@given(FINITE, FINITE, TOLERANCE)
def test_two_parts_within_the_rms_limit_are_within_it_together(one, two, value):
    parts = [compare("y", *p, Limits(value)).rms_rel for p in (one, two)]
    whole = compare("y", *np.concatenate([one, two], axis=1), Limits(value)).rms_rel
    assert whole <= max(parts) * (1 + 1e-5)


@given(FINITE, st.integers(-20, 20))
def test_the_rms_rule_does_not_know_the_unit(pair, exponent):
    """By a power of two, which float32 does exactly; lost elements are counted above an absolute floor."""
    r, c = pair.astype(np.float64)
    factor = 2.0**exponent
    plain, scaled = compare("y", r, c, FP16), compare("y", r * factor, c * factor, FP16)
    assert scaled.rms_rel == pytest.approx(plain.rms_rel, rel=1e-6)
    if np.any(r):
        assert (plain.kind, plain.status == "fail") == (scaled.kind, scaled.status == "fail")


@given(PAIRS, TOLERANCE)
def test_limits_by_name_are_those_limits(pair, value):
    named = Limits(1e-9, outputs={"y": OutputLimits(rms=value), "z": OutputLimits(atol=1.0)})
    by_name, plain = compare("y", *pair, named), compare("y", *pair, Limits(value))
    assert (by_name.status, by_name.kind, by_name.reason) == (plain.status, plain.kind, plain.reason)


ERRORS = st.lists(
    st.builds(
        TensorError,
        tensor=st.sampled_from(["a", "b"]),
        status=st.sampled_from(["pass", "untestable", "fail"]),
        rms_rel=st.floats(0, 10),
        kind=st.sampled_from(["nonfinite", "mismatch"]),
        compared=st.just(3),
    ),
    min_size=1,
    max_size=4,
)


@given(ERRORS)
def test_the_verdict_does_not_depend_on_the_order_of_samples(errors):
    verdicts = {judge(worst(order))[0] for order in itertools.permutations(errors)}
    assert len(verdicts) == 1
    assert verdicts == {judge(errors)[0]}


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_any_choice_among_exact_ties_passes_and_among_far_values_fails(seed, kept):
    random = np.random.default_rng(seed)
    values = random.choice([0.0, 1.0, 2.0], (4, 6))
    order = np.argsort(-values, axis=1, kind="stable")
    shuffled = np.argsort(-values + random.uniform(0, 1e-9, values.shape), axis=1)
    r, c = order[:, :kept], shuffled[:, :kept]
    error = judge_choice(compare("i", r, c, FP16), r, c, values, 1, True, FP16)
    assert error.status == "pass"
    worse = values.argmin(1)[:, None]
    if (values.max(1) > values.min(1)).all():
        best = order[:, :1]
        assert (
            judge_choice(compare("i", best, worse, FP16), best, worse, values, 1, True, FP16).status == "fail"
        )
