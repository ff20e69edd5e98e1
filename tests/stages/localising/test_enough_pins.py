"""Rounding alone breaks the tolerance: the nodes that matter most are pinned, as many as it takes and no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import open_case
from hypothesis import given
from hypothesis import strategies as st
from rounding_stacks import WIDTH, stack

from trtdebug.core.case import Tolerance
from trtdebug.core.outcome import Signature
from trtdebug.debugger import Debugger
from trtdebug.stages.context import Context
from trtdebug.stages.fixing.minimise import MAX_TRIALS_OF_ROUNDING
from trtdebug.stages.localising import enough_pins
from trtdebug.stages.localising.enough_pins import expected, with_enough_pins
from trtdebug.stages.localising.localise import NO_SMALLER_PINS, Located, localise
from trtdebug.stages.observing.observe import observe

FAULT = {"up", "down"}


def case(folder: Path, limit: float) -> Context:
    """Eight blocks whose rounding adds up to some 9e-4, and an overflow before the fourth."""
    np.savez(folder / "x.npz", x=np.random.default_rng(1).standard_normal((8, WIDTH)).astype(np.float32))
    tolerance = Tolerance(rms_rel=limit)
    ctx = open_case(stack(8, "overflow", at=3), folder, "fp16", inputs=folder / "x.npz", tolerance=tolerance)
    ctx.record()
    return ctx


def located(ctx: Context) -> Located:
    return localise(ctx, Signature("mismatch", ("y",)), observe(ctx), fast=True)


@pytest.mark.parametrize("limit", [2e-4, 4e-4, 6e-4])
def test_with_these_pins_it_passes(limit: float, tmp_path: Path) -> None:
    ctx = case(tmp_path, limit)
    found = located(ctx)
    assert found.pins is None
    trials = ctx.session.counts.total
    pinned = with_enough_pins(ctx, found)
    assert ctx.session.counts.total - trials <= 8
    assert pinned.pins is not None
    assert set(pinned.pins) > FAULT
    low = [n for n in ctx.items if n not in pinned.pins]
    assert low
    assert ctx.session.run(ctx.low_job(low, fast=True)).status == "pass"


def test_nodes_of_one_layer_are_pinned_together(tmp_path: Path) -> None:
    ctx = case(tmp_path, 4e-4)
    layers = tuple((f"matmul{i}", f"tanh{i}") for i in range(8))
    found = with_enough_pins(ctx, replace(located(ctx), inseparable=layers))
    assert found.pins is not None
    assert set(found.pins) & {n for layer in layers for n in layer}
    assert all(len({n in found.pins for n in layer}) == 1 for layer in layers)


def test_the_tighter_the_tolerance_the_more_pins(tmp_path: Path) -> None:
    numbers = []
    for limit in (2e-4, 4e-4, 6e-4):
        folder = tmp_path / str(limit)
        folder.mkdir()
        ctx = case(folder, limit)
        numbers.append(len(with_enough_pins(ctx, located(ctx)).pins or ()))
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > numbers[-1]


def test_where_a_search_found_the_pins_they_stay(tmp_path: Path) -> None:
    ctx = case(tmp_path, 1e-2)
    found = located(ctx)
    assert set(found.pins or ()) == FAULT
    assert with_enough_pins(ctx, found) is found


def test_the_fix_is_verified_and_the_cause_is_named(tmp_path: Path) -> None:
    diagnosis = Debugger(case(tmp_path, 4e-4), until="fix").run()
    assert {n for c in diagnosis.culprits for n in c.nodes} == FAULT
    fix = diagnosis.fixes[-1]
    assert (fix.kind, fix.verified) == ("pin", True)
    searched, needless, others = 8, MAX_TRIALS_OF_ROUNDING, 4
    assert {s.name: s.trials for s in diagnosis.stages}["fix"] <= searched + needless + others
    assert not any("was not looked for" in line for line in diagnosis.unknown)


def test_where_nothing_but_all_of_them_is_enough_there_is_no_fix_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enough_pins, "_pass", lambda *_: False)
    diagnosis = Debugger(case(tmp_path, 4e-4), until="fix").run()
    assert not any(f.kind == "pin" for f in diagnosis.fixes)
    assert NO_SMALLER_PINS in diagnosis.unknown


@given(st.lists(st.floats(0, 3), min_size=1, max_size=30))
def test_what_is_expected_to_be_left_keeps_the_tolerance(shares: list[float]) -> None:
    shares.sort(reverse=True)
    number = expected(shares)
    assert sum(s * s for s in shares[number:]) <= 1 + 1e-9
    assert number == 0 or sum(s * s for s in shares[number - 1 :]) > 1 - 1e-9
