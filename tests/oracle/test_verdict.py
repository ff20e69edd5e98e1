"""From compared tensors to the outcome of a trial."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from trtdebug.core.outcome import Outcome, Signature, TensorError
from trtdebug.oracle.compare import compare
from trtdebug.oracle.tolerance import Limits
from trtdebug.oracle.verdict import judge, largest_share, rename, same_failure, worst

GOOD = TensorError("a", "pass", rms_rel=1e-4)
WRONG = TensorError("b", "fail", rms_rel=0.5, kind="mismatch", reason="too far")
INFINITE = TensorError("c", "fail", nonfinite=3, kind="nonfinite", reason="3 Inf")
SHAPE = TensorError("d", "fail", kind="shape", reason="shape [1]")
MISSING = TensorError("e", "fail", kind="missing-output", reason="no such output")
UNSURE = TensorError("f", "untestable", reason="not known")


def test_nothing_to_compare_is_never_a_pass():
    status, signature, reason = judge([])
    assert (status, signature) == ("untestable", None)
    assert reason


def test_all_good_passes():
    assert judge([GOOD, GOOD]) == ("pass", None, "")


@pytest.mark.parametrize("order", list(itertools.permutations([GOOD, WRONG, INFINITE, SHAPE, MISSING])))
def test_the_gravest_kind_gives_the_name(order):
    status, signature, reason = judge(order)
    assert (status, signature.kind, reason) == ("fail", "missing-output", "e: no such output")
    assert signature.outputs == tuple(e.tensor for e in order if e is not GOOD)


@pytest.mark.parametrize(
    ("errors", "kind"),
    [([WRONG, INFINITE, SHAPE], "shape"), ([WRONG, INFINITE], "nonfinite"), ([GOOD, WRONG], "mismatch")],
)
def test_kinds_by_gravity(errors, kind):
    assert judge(errors)[1].kind == kind


def test_a_failure_counts_more_than_what_is_not_known():
    assert judge([UNSURE, WRONG])[0] == "fail"
    assert judge([GOOD, UNSURE]) == ("untestable", None, "f: not known")


NAN = np.full(3, np.nan, np.float32)
EMPTY = np.zeros((0, 3), np.float32)
ONES = np.ones(3, np.float32)


def judged(*tensors: np.ndarray) -> tuple[str, Signature | None, str]:
    """The verdict where both sides gave these tensors."""
    return judge([compare(f"y{i}", t, t.copy(), Limits(1e-2)) for i, t in enumerate(tensors)])


def test_empty_outputs_say_nothing():
    assert judged(EMPTY, EMPTY) == (
        "untestable",
        None,
        "every output is empty (other inputs may fill one: --inputs, --val-range)",
    )
    assert judged(EMPTY.astype(np.int64))[0] == "untestable"


def test_outputs_without_a_finite_element_say_nothing():
    reason = "no output has a finite element on both sides"
    assert judged(NAN) == ("untestable", None, reason)
    assert judged(EMPTY, NAN, ONES * np.inf) == ("untestable", None, reason)


@pytest.mark.parametrize("other", [ONES, np.arange(3), np.array([True])])
def test_one_output_with_something_to_compare_is_enough(other):
    assert judged(EMPTY, NAN, other) == ("pass", None, "")


def test_nan_on_one_side_only_is_still_a_failure():
    assert judge([compare("y", ONES, NAN, Limits(1e-2))])[0] == "fail"


def test_an_empty_sample_does_not_stand_for_one_that_was_compared():
    empty, equal = (compare("y", t, t, Limits(1e-2)) for t in (EMPTY, ONES))
    for order in itertools.permutations([empty, equal]):
        assert worst(order) == (equal,)
        assert judge(worst(order))[0] == "pass"


def sample(status, tensor="y", **fields):
    return TensorError(tensor, status, **fields)


def test_of_several_samples_the_worst_counts():
    fine = sample("pass", rms_rel=9e-3)
    bad = sample("fail", rms_rel=2e-2, kind="mismatch")
    assert worst([fine, bad]) == worst([bad, fine]) == (bad,)


def test_of_two_passes_the_larger_error_is_shown():
    small, large = sample("pass", rms_rel=1e-4), sample("pass", rms_rel=1e-3)
    assert worst([large, small]) == worst([small, large]) == (large,)


def test_the_worst_of_samples_is_the_gravest_kind_as_in_the_verdict():
    shape = sample("fail", kind="shape", rms_rel=float("inf"))
    infinite = sample("fail", kind="nonfinite", nonfinite=7, rms_rel=0.1)
    far = sample("fail", kind="mismatch", rms_rel=1e9)
    assert all(worst(order) == (shape,) for order in itertools.permutations([shape, infinite, far]))
    assert worst([far, infinite]) == (infinite,)


def test_what_could_not_be_judged_is_not_hidden_by_a_pass():
    unsure, fine = sample("untestable"), sample("pass", rms_rel=1e-3)
    assert worst([fine, unsure]) == worst([unsure, fine]) == (unsure,)


def test_tensors_keep_their_order():
    samples = [sample("pass", "b"), sample("pass", "a"), sample("fail", "b", kind="mismatch")]
    assert [e.tensor for e in worst(samples)] == ["b", "a"]


def test_wrong_numbers_and_nan_are_one_failure():
    wrong, infinite, shape = Signature("mismatch", ("y",)), Signature("nonfinite", ("z",)), Signature("shape")
    assert same_failure(wrong, infinite)
    assert same_failure(shape, shape)
    assert not same_failure(wrong, shape)
    assert not same_failure(Signature("crash"), Signature("timeout"))
    assert not same_failure(None, None)
    assert not same_failure(wrong, None)


def test_rename_keeps_the_rest():
    assert rename([WRONG, GOOD], {"b": "x"})[0].tensor == "x"
    assert rename([WRONG, GOOD], {"b": "x"})[1] == GOOD


def test_the_worst_of_samples_is_as_close_as_the_closest_of_them():
    """By element, the sample with the larger RMS error need not be the one that is next to the limit."""
    near, far = (
        TensorError("a", "pass", rms_rel=0.1, of_limit=0.9),
        TensorError("a", "pass", rms_rel=0.2, of_limit=0.3),
    )
    [error] = worst([near, far])
    assert (error.rms_rel, error.of_limit) == (0.2, 0.9)


def test_of_several_builds_the_largest_share_of_what_is_allowed_counts():
    near = Outcome("pass", tensors=(TensorError("a", "pass", of_limit=0.9), TensorError("ids", "pass")))
    far = Outcome("pass", tensors=(TensorError("a", "pass", of_limit=0.3),))
    assert largest_share([far, near]) == 0.9
    assert largest_share([Outcome("pass", tensors=(TensorError("ids", "pass"),))]) is None
