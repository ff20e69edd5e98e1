"""Near the tolerance a pin is left out where the case passes without it, whatever failed with more pins."""

from __future__ import annotations

from pathlib import Path

import pytest
from keeping_backend import KeepingBackend, opened
from rounding_stacks import stack

from trtdebug.core.outcome import Outcome, Signature, TensorError
from trtdebug.stages.context import Context
from trtdebug.stages.fixing import minimise
from trtdebug.stages.fixing.minimise import MAX_TRIALS, MinimalPins, minimal_pins
from trtdebug.stages.fixing.near_limit import Failures, Needed, Probing, needed
from trtdebug.stages.localising.localise import Located

FAULT, WORSE, BETTER, HELPS = PINS = ("matmul0", "tanh0", "add0", "matmul1")


class Trials:
    """What is made of a trial: the error of it over the limit, by what is pinned."""

    def __init__(self, ctx: Context, monkeypatch: pytest.MonkeyPatch, scale: float = 1.0) -> None:
        self.scale, self.asked = scale, 0
        self.ctx = ctx
        monkeypatch.setattr(minimise, "low_outcome", self)

    def __call__(self, ctx: Context, nodes: frozenset[str], fast: bool) -> Outcome:
        """Pinned, WORSE no longer cancels what HELPS and BETTER leave."""
        self.asked += 1
        pinned = set(PINS) - nodes
        error = 9.0 if FAULT not in pinned else 1.3 - 0.33 * (HELPS in pinned) - 0.22 * (BETTER in pinned)
        if FAULT in pinned and WORSE in pinned:
            error += 0.15
        share = error * self.scale if error > 1 else error
        status = "fail" if error > 1 else "pass"
        kind = "mismatch" if error > 1 else None
        return Outcome(status, Signature("mismatch", ("y",)), tensors=(
            TensorError("y", status, kind=kind, of_limit=share),
        ))  # fmt: skip

    @property
    def found(self) -> MinimalPins | None:
        located = Located((), PINS, alone=frozenset({FAULT}))
        return minimal_pins(self.ctx, Signature("mismatch", ("y",)), located)


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    opened_ = opened(stack(2), tmp_path, KeepingBackend())
    opened_.record()
    return opened_


def test_a_pin_that_only_helped_beside_others_is_left_out(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAULT, WORSE and HELPS pinned are not enough; FAULT and HELPS are."""
    trials = Trials(ctx, monkeypatch)
    assert trials.found == MinimalPins((FAULT, HELPS))


def test_clear_failures_take_no_more_builds(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    near, clear = Trials(ctx, monkeypatch), Trials(ctx, monkeypatch, scale=5.0)
    assert clear.found is not None
    monkeypatch.setattr(minimise, "low_outcome", near)
    assert near.found is not None
    assert clear.asked < near.asked <= MAX_TRIALS


def failed(share: float | None) -> Outcome:
    return Outcome("fail", tensors=(TensorError("y", "fail", of_limit=share),))


@pytest.mark.parametrize(
    ("share", "trials", "pins", "untested"),
    [
        (1.2, 9, {1}, set()),  # 2 is needless
        (1.2, 1, {1, 2}, {2}),  # after 1, 2 was not tested
        (3.0, 9, {1, 2}, set()),  # clear
        (None, 9, {1, 2}, set()),  # NaN
    ],
)
def test_what_was_inferred_is_tested_as_far_as_builds_reach(
    share: float | None, trials: int, pins: set[int], untested: set[int]
) -> None:
    everything = frozenset(range(4))
    seen = {frozenset({1}): failed(share), frozenset({2}): failed(share)}

    def test(low: frozenset[int]) -> str:
        verdict = "fail" if 1 in low else "pass"
        if verdict == "fail":
            seen[low] = failed(1.5)
        return verdict

    known = Needed(frozenset({1, 2}), frozenset())
    found = needed(known, Failures(everything, (), seen), Probing(test, lambda lows: None, 1), trials)
    assert found == Needed(frozenset(pins), frozenset(untested))
