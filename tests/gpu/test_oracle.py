"""The oracle on real TensorRT: what only rounds is not blamed, and a stored session can be judged again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from healthy_graphs import FAMILIES, healthy_graph, sample

from trtdebug.graph.load import save_model

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


def trtdebug(*words: str | Path) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "trtdebug", *map(str, words), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("family", FAMILIES)
def test_healthy_networks_match_and_can_be_judged_again(family: str, tmp_path: Path) -> None:
    """No finding of the oracle either: rows agree, and no kernel is in doubt."""
    save_model(healthy_graph(family, 0, 60), tmp_path / "m.onnx")
    np.savez(tmp_path / "inputs.npz", **sample(family, 0))
    session = tmp_path / "session"
    given = ("--inputs", tmp_path / "inputs.npz", "--opt-level", "0", "--session", session, "--quiet")
    code, report = trtdebug("run", tmp_path / "m.onnx", "--fp16", *given)
    assert (code, report["verdict"]) == (0, "matches"), report["reason"]
    assert not {"rows-differ", "beyond-rounding", "ill-conditioned"} & {f["id"] for f in report["findings"]}
    code, again = trtdebug("reverdict", session, "--rms", "1e-9")
    assert (code, again["verdict"], again["before"]) == (1, "diverges", "matches")
