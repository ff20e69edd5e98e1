"""The repro of a case whose builds differ: one that passes does not say that a piece is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contexts import context, plugins_with
from planted_graphs import planted_graph
from seldom_wrong import SeldomWrong, every

from trtdebug.debugger import Debugger

PLANTED = planted_graph(1, 24, 1)


@pytest.mark.parametrize(("number", "phase"), [(1, 0), (2, 0), (2, 1), (3, 0)])
def test_a_repro_is_built_until_it_fails(number: int, phase: int, tmp_path: Path) -> None:
    backend = SeldomWrong(PLANTED, every(number, phase))
    x = np.random.default_rng(1).standard_normal((4, 16))
    diagnosis = Debugger(context(tmp_path, PLANTED.model, backend.name, plugins_with(backend), 2, x=x)).run()
    assert diagnosis.verdict == "fragile"
    assert diagnosis.repro is not None
    assert diagnosis.repro.verified
    assert ("not every run fails" in diagnosis.repro.note) == (number > 1)
