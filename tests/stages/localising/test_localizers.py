"""The built-in searches over precisions, where most of what there is to find is known before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cases import diagnose, open_case
from seed_models import model_of, node, value, weight

from trtdebug.search.types import Verdict
from trtdebug.stages.localising.localizers import MAX_CULPRITS, leftmost

NODES = tuple(f"n{i}" for i in range(400))


class Planted:
    """Each of these nodes makes a set fail. Keeps what was asked of sets without an expected one: these take trials."""

    workers = 1
    told = ()

    def __init__(self, culprits: Sequence[str], expected: Sequence[str]) -> None:
        self.culprits, self.expected = frozenset(culprits), frozenset(expected)
        self.trials: list[frozenset[str]] = []

    def __call__(self, low: frozenset[str], again: int = 0) -> Verdict:
        return self.many([low])[0]

    def many(self, lows: Sequence[frozenset[str]], again: Sequence[int] | None = None) -> list[Verdict]:
        self.trials += [low for low in lows if not low & self.expected & self.culprits]
        return ["fail" if low & self.culprits else "pass" for low in lows]

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(0.99 if n in self.expected else 1e-6 for n in NODES)


def test_culprits_that_are_expected_are_no_drift_however_many_they_are() -> None:
    convicted = NODES[::4]
    assert len(convicted) > 3 * MAX_CULPRITS
    test = Planted(convicted, convicted)
    answer = leftmost(NODES, test, test.weights)
    assert answer.culprits == tuple((n,) for n in convicted)
    assert answer.protect == convicted
    assert answer.exact
    assert len(test.trials) == 1


def test_beside_them_another_is_searched_for() -> None:
    convicted = NODES[::4]
    test = Planted((*convicted, "n201"), convicted)
    answer = leftmost(NODES, test, test.weights)
    assert ("n201",) in answer.culprits
    assert set(answer.protect or ()) == {*convicted, "n201"}
    assert len(test.trials) < 24


def test_an_expected_one_that_passes_is_no_culprit() -> None:
    test = Planted(["n7"], ["n7", "n8"])
    answer = leftmost(NODES, test, test.weights)
    assert answer.culprits == (("n7",),)
    assert answer.protect == ("n7",)


def test_a_residual_stream_that_overflows_is_found_from_end_to_end(tmp_path: Path) -> None:
    """Each of its 40 sums is Inf by itself: more nodes than drift is called by, and seen before any search."""
    sums = [node("Add", [f"h{i}", f"b{i}"], [f"h{i + 1}"], f"sum{i}") for i in range(40)]
    model = model_of(
        [
            node("Neg", ["x"], ["n"], "healthy"),
            node("Mul", ["n", "large"], ["h0"], "grow"),
            *sums,
            node("Mul", ["h40", "small"], ["y"], "shrink"),
        ],
        [value("x", [8])],
        [value("y", [8])],
        [
            weight("large", np.float32(3e5)),
            weight("small", np.float32(1e-3)),
            *(weight(f"b{i}", np.float32(i)) for i in range(40)),
        ],
    )
    np.savez(tmp_path / "x.npz", x=np.linspace(1, 2, 8, dtype=np.float32))
    diagnosis = diagnose(open_case(model, tmp_path, "fp16", inputs=tmp_path / "x.npz"))
    assert len(diagnosis.culprits) == 42
    assert all(culprit.proven for culprit in diagnosis.culprits)
    assert diagnosis.unknown == ()
