"""Where the whole candidate is looked into: what is right by chance is no cure, and what fails is what is looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contexts import context, plugins_with
from miscompiling import Miscompiling, influential, opened
from planted_graphs import planted_graph
from seldom_wrong import SeldomWrong

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import PinPrecision
from trtdebug.debugger import Debugger
from trtdebug.graph.load import content_sha256

PLANTED = planted_graph(1, 24, 1)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_of_two_models_a_build_that_is_right_by_chance_is_no_cure(nth: int, tmp_path: Path) -> None:
    model = planted_graph(3, 60, 0).model
    wrong = influential(model)[len(influential(model)) // 2]
    ctx = opened(model, Miscompiling(wrong, right=lambda number: number % nth > 0), tmp_path)
    path = Path(ctx.case.model)
    ctx.case = replace(ctx.case, candidate_model=str(path), candidate_sha256=content_sha256(path))
    diagnosis = Debugger(ctx, until="localise").run()
    assert [c.nodes for c in diagnosis.culprits] == [(wrong,)]
    assert not any("fusion" in line for line in diagnosis.unknown)


class PinsNothing(SeldomWrong):
    """Wrong where low precision is forced, right as the user builds; what is pinned is not built."""

    def __init__(self) -> None:
        super().__init__(PLANTED, iter([True] * 99))

    def build(self, request: BuildRequest) -> Engine:
        if any(isinstance(i, PinPrecision) for i in request.interventions):
            raise BuildFailure("no layer takes FP32")
        return super().build(request)


def forced_only(folder: Path) -> Diagnosis:
    backend = PinsNothing()
    x = np.random.default_rng(1).standard_normal((4, 16))
    ctx = context(folder, PLANTED.model, backend.name, plugins_with(backend), 2, x=x)
    return Debugger(ctx, until="localise").run()


def test_where_only_forced_builds_fail_these_are_looked_into(tmp_path: Path) -> None:
    diagnosis = forced_only(tmp_path)
    assert diagnosis.verdict == "fragile"
    [culprit] = diagnosis.culprits
    assert not PLANTED.overflowing.isdisjoint(culprit.nodes)
    assert culprit.evidence.startswith("with low precision forced everywhere, ")
    assert not any("fusion" in line for line in diagnosis.unknown)
