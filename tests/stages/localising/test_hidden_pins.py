"""Nobody is convicted of what a pin that had no effect explains; what fails on the emulator, too, stays convicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contexts import context, plugins_with
from ignoring import Ignoring
from planted_graphs import planted_graph

from trtdebug.core.diagnosis import Diagnosis
from trtdebug.debugger import Debugger

PLANTED = next(p for p in (planted_graph(s, 24, 2) for s in range(100)) if len(p.overflowing) == 2)


def diagnosed(folder: Path, backend: Ignoring) -> Diagnosis:
    x = np.random.default_rng(1).standard_normal((4, 16))
    ctx = context(folder, PLANTED.model, backend.name, plugins_with(backend), 2, x=x)
    return Debugger(ctx, until="localise").run()


@pytest.mark.parametrize("ignored", [0, 1, 2])
def test_only_what_overflows_is_convicted(ignored: int, tmp_path: Path) -> None:
    diagnosis = diagnosed(tmp_path, Ignoring(sorted(PLANTED.overflowing)[:ignored]))
    convicted = {n for c in diagnosis.culprits if c.proven for n in c.nodes}
    assert convicted == PLANTED.overflowing
    doubted = [c for c in diagnosis.culprits if not c.proven]
    assert bool(doubted) == (ignored > 0)
    assert all("had no effect there, which the engine does not show" in c.evidence for c in doubted)
