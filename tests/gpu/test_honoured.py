"""What trtdebug calls honoured is seen in the engine by a reading of its own (tests/support/engine_reader.py).

All builds take place in this process and at the cheapest level, so that three models cost one start of TensorRT.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_reader import computing, layers
from in_process import jobs_run_here, trtdebug

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def here() -> Iterator[None]:
    with jobs_run_here():
        yield


def diagnose(command: str, model: Path, session: Path, *words: str) -> None:
    options = ("--fp16", "--opt-level", "0", "--session", session, "--json", "--quiet")
    done = trtdebug(command, model, *options, *words)
    assert done.code in (0, 1), done.stderr


def trials(session: Path) -> list[tuple[Path, dict[str, Any], dict[str, Any]]]:
    """(folder, job, engine) of every trial whose engine is TensorRT's."""
    found = []
    for path in sorted(session.glob("trials/*/engine.json")):
        engine = json.loads(path.read_text())
        if engine["backend"] == "tensorrt" and engine["layers"]:
            found.append((path.parent, json.loads((path.parent / "trial.json").read_text()), engine))
    return found


def asked(job: dict[str, Any]) -> tuple[dict[str, str], str | None]:
    """Precision by pinned node, and of all other nodes (None = the builder's choice)."""
    pins: dict[str, str] = {}
    forced = None
    for intervention in job["interventions"]:
        if intervention["kind"] == "PinPrecision":
            pins |= dict.fromkeys(intervention["nodes"], intervention["dtype"])
        elif intervention["kind"] == "ForcePrecision":
            forced = intervention["dtype"]
    return pins, forced


def check(session: Path) -> int:
    """Checks every trial of a session. Returns how many nodes were called honoured, over all trials."""
    count = 0
    for folder, job, engine in trials(session):
        pins, forced = asked(job)
        raw = folder / "engine-layers.json"
        seen = layers(raw)
        for node in engine["honoured"]:
            wanted = pins.get(node, forced)
            assert wanted is not None, f"{node} was asked nothing in {folder}"
            mine = computing(node, seen)
            assert mine, f"no layer of {raw} computes {node}"
            for layer in mine:
                assert not layer.opaque, (node, layer)
                assert layer.types == {wanted}, (node, layer)
        told = {*engine["honoured"], *engine["unverified"], *engine["refused"]}
        text = raw.read_text()
        silent = [n for n in pins if n not in told and f"[ONNX Layer: {n}]" in text]
        assert not silent, f"{folder} says nothing of pins that have a layer: {silent}"
        count += len(engine["honoured"])
    return count


def test_residual_block(tmp_path: Path, model_path: Callable[[str], Path]) -> None:
    """A build as the user makes it, and two with all nodes forced."""
    diagnose("bisect", model_path("polygraphy/residual_block.onnx"), tmp_path / "s", "--builds", "1")
    assert check(tmp_path / "s") >= 3  # convolutions do not vanish in Myelin


def test_magika(tmp_path: Path, model_path: Callable[[str], Path]) -> None:
    """Isolated nodes, pins in forced builds, and the fix: pins where all else is the builder's choice."""
    few = ("--input-shapes", "bytes:[4,2048]", "--builds", "1", "--fix-builds", "1")
    diagnose("fix", model_path("magika_standard_v3_3.onnx"), tmp_path / "s", *few)
    count = check(tmp_path / "s")
    found = trials(tmp_path / "s")
    print(f"{count} times a node was called honoured, in {len(found)} engines")
    assert any(pins and not forced for pins, forced in (asked(job) for _, job, _ in found))
    assert any(pins and forced for pins, forced in (asked(job) for _, job, _ in found))


def test_attention(tmp_path: Path) -> None:
    """Nearly all of it is compiled by Myelin as a whole, so nearly all has to be called unverified."""
    model = tmp_path / "attn.onnx"
    subprocess.run([sys.executable, ROOT / "samples" / "attention.py", model], check=True)
    diagnose("bisect", model, tmp_path / "s")
    check(tmp_path / "s")
    pinned = [engine for _, job, engine in trials(tmp_path / "s") if asked(job)[0]]
    assert pinned
    for engine in pinned:
        hidden = {n for layer in engine["layers"] for n in layer["at_most"]}
        assert hidden.isdisjoint(engine["honoured"]), hidden & set(engine["honoured"])
