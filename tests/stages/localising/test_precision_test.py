"""What trials showed of sets: that one is the smallest follows from larger ones only where none contradict."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import open_case
from seed_models import model_of, node, value, weight

from trtdebug.core.outcome import Signature
from trtdebug.stages.localising.atoms import Atoms
from trtdebug.stages.localising.precision_test import PrecisionTest


def opened(folder: Path, layers: tuple[tuple[str, ...], ...] = (), passing: str = "") -> PrecisionTest:
    """Nodes a, b, d and c, of which `c` overflows by itself."""
    model = model_of(
        [
            node("Neg", ["x"], ["t0"], "a"),
            node("Neg", ["t0"], ["t1"], "b"),
            node("Neg", ["t1"], ["t2"], "d"),
            node("Mul", ["t2", "big"], ["y"], "c"),
        ],
        [value("x", [4])],
        [value("y", [4])],
        [weight("big", 1e9)],
    )
    ctx = open_case(model, folder, "fp16")
    ctx.record()
    known = frozenset(passing)
    return PrecisionTest(
        ctx, Signature("nonfinite", ("y",)), False, frozenset(), known, Atoms.of(ctx.items, layers)
    )


def test_a_larger_set_that_passed_tells_of_its_parts(tmp_path: Path) -> None:
    test = opened(tmp_path, passing="ab")
    assert test.is_smallest(("a", "b"), monotone=True)
    assert not test.is_smallest(("a", "b"), monotone=False)
    assert not test.is_smallest(("a", "c"), monotone=True), "nobody asked about c"


def test_where_verdicts_contradict_it_takes_trials_of_just_these(tmp_path: Path) -> None:
    test = opened(tmp_path)
    assert test.ask([frozenset("a"), frozenset("b"), frozenset("c")]) == ["pass", "pass", "fail"]
    assert test.is_smallest(("a", "b"), monotone=False)
    assert not test.is_smallest(("a", "c"), monotone=False), "c fails alone"


@pytest.mark.parametrize("monotone", [True, False])
def test_a_layer_is_left_out_as_a_whole_and_looked_at_node_by_node(monotone: bool, tmp_path: Path) -> None:
    test = opened(tmp_path, (("a", "b"),))
    test.ask([frozenset("a"), frozenset("ab")])
    assert not test.is_smallest(("a", "b"), monotone=False)
    test.ask([frozenset("b"), frozenset("d")])
    assert test.is_smallest(("a", "b"), monotone)
    assert test.is_smallest(("a", "b", "d"), monotone)
