"""A fault that shows in most builds, not in all: a repeated trial contradicts, and the Bayesian search takes over."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from contexts import context, plugins_with
from planted_graphs import BrokenKernels, planted_graph

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.debugger import Debugger
from trtdebug.graph.load import load_model
from trtdebug.search.types import Verdict
from trtdebug.stages.localising.localizers import bayesian


class UnsteadyKernels(BrokenKernels):
    """Wrong in whole models only (so that no observation shows it), and there at a rate of all builds."""

    deterministic = False

    def __init__(self, wrong: frozenset[str], rate: float, seed: int) -> None:
        super().__init__(wrong)
        self.planted, self.rate, self.random = wrong, rate, random.Random(seed)

    def build(self, request: BuildRequest) -> Engine:
        whole = len(load_model(request.model).graph.output) == 1
        self.wrong = self.planted if whole and self.random.random() < self.rate else frozenset()
        return super().build(request)


def diagnose(folder: Path, rate: float, seed: int) -> tuple[Diagnosis, frozenset[str]]:
    planted = planted_graph(9, 40, 1)
    assert planted.wrong == planted.culprits
    plugins = plugins_with(UnsteadyKernels(planted.wrong, rate, seed))
    x = np.random.default_rng(1).standard_normal((4, 16))
    ctx = context(folder, planted.model, "broken-kernels", plugins, x=x)
    return Debugger(ctx, until="localise").run(), planted.culprits


def test_a_fault_that_shows_in_four_of_five_builds_is_found(tmp_path: Path) -> None:
    took_over = 0
    for seed in range(5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        diagnosis, culprits = diagnose(folder, 0.8, seed)
        assert {n for c in diagnosis.culprits for n in c.nodes} == culprits
        took_over += any("by repeated trials" in line for line in diagnosis.unknown)
    assert took_over >= 2


def test_a_steady_fault_is_confirmed_by_two_builds_and_no_more(tmp_path: Path) -> None:
    diagnosis, culprits = diagnose(tmp_path, 1.0, 0)
    assert {n for c in diagnosis.culprits for n in c.nodes} == culprits
    assert not any("by repeated trials" in line for line in diagnosis.unknown)


class Scripted:
    """Node "n11" is the culprit; every sixth verdict is wrong."""

    workers = 1

    def __init__(self) -> None:
        self.told: list[tuple[frozenset[str], Verdict]] = [(frozenset(f"n{i}" for i in range(40)), "fail")]

    def __call__(self, low: frozenset[str], again: int = 0) -> Verdict:
        before = sum(subset == low for subset, _ in self.told)
        assert again == before  # a build that was never made before
        wrong = len(self.told) % 6 == 5
        verdict: Verdict = "fail" if ("n11" in low) != wrong else "pass"
        self.told.append((low, verdict))
        return verdict

    def many(self, lows: Sequence[frozenset[str]], again: Sequence[int] | None = None) -> list[Verdict]:
        return [self(low, number) for low, number in zip(lows, again or [0] * len(lows), strict=True)]


def test_the_bayesian_localizer_goes_on_from_what_was_told() -> None:
    test = Scripted()
    nodes = tuple(f"n{i}" for i in range(40))
    for low in (nodes[:20], nodes[:10], nodes[:10]):
        test(frozenset(low), again=sum(s == frozenset(low) for s, _ in test.told))
    answer = bayesian(nodes, test, (1.0,) * 40)
    assert answer.culprits == (("n11",),)
    assert answer.exact
    assert answer.protect == ("n11",)
