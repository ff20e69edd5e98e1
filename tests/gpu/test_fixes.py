"""Fixes on real TensorRT: they hold in fresh builds, no pin of theirs can be left out, and what they cost is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trtdebug.backends.base import BuildRequest, KeepsEngines, TimesInference
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions
from trtdebug.core.case import BuildOptions
from trtdebug.stages.context import Context

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
BUILDS = 10
MAGIKA_SHAPE = "bytes:[4,2048]"


def fixed(model: Path, session: Path, *words: object) -> dict[str, Any]:
    """What `trtdebug fix` reports; the last fix holds in ten fresh builds."""
    line = [sys.executable, "-m", "trtdebug", "fix", model, "--fp16", "--fix-builds", BUILDS]
    line += [*words, "--session", session, "--json", "--quiet"]
    done = subprocess.run([str(w) for w in line], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    for fix in report["fixes"]:
        print(
            fix["summary"],
            fix["verified"],
            fix["builds_passed"],
            fix["latency_ms"],
            fix["reason"],
            fix["note"],
        )
    print(report["flaky"], report["trials"])
    assert report["fixes"][-1]["verified"], report["fixes"][-1]["reason"]
    assert report["fixes"][-1]["builds_passed"] == [BUILDS, BUILDS]
    return report


def fewest_pins(report: dict[str, Any]) -> tuple[str, ...]:
    """The minimal pins: the fewest of the fixes that hold."""
    held = [f for f in report["fixes"] if f["kind"] == "pin" and f["builds_passed"] == [BUILDS, BUILDS]]
    assert held, "no set of pins held"
    fix = min(held, key=lambda f: len(f["interventions"][0]["nodes"]))
    assert fix["untested_pins"] == []
    return tuple(fix["interventions"][0]["nodes"])


def assert_latencies_are_told(report: dict[str, Any]) -> None:
    fix = report["fixes"][-1]
    latency = fix["latency_ms"]
    assert all(0.001 < latency[key] < 1000 for key in ("natural", "fixed", "fp32"))
    assert fix["latency_ratio"] == pytest.approx(latency["fixed"] / latency["natural"])


def assert_each_pin_is_needed(options: CaseOptions, pins: Sequence[str]) -> None:
    """Leaves them out in turn, all unpinned nodes forced to FP16."""
    with opened(options) as case:
        ctx = case.ctx
        ctx.record()
        assert _status(ctx, pins) == "pass"
        found = {pin: _status(ctx, [p for p in pins if p != pin]) for pin in pins}
        print(found)
        assert set(found.values()) == {"fail"}


def _status(ctx: Context, pins: Sequence[str]) -> str:
    outcome = ctx.session.run(ctx.low_job(set(ctx.items).difference(pins), fast=True))
    if outcome.status == "untestable":
        print(outcome.reason)
    return outcome.status


def test_attention_is_fixed_by_pins_none_of_which_can_be_left_out(tmp_path: Path) -> None:
    model = tmp_path / "attn.onnx"
    subprocess.run([sys.executable, ROOT / "samples" / "attention.py", model], check=True)
    report = fixed(model, tmp_path / "session")
    assert_latencies_are_told(report)
    latency = report["fixes"][-1]["latency_ms"]
    assert latency["fixed"] < latency["fp32"]  # else there would be no point in it
    pins = fewest_pins(report)
    assert len(pins) <= 12
    assert_each_pin_is_needed(CaseOptions(model, fp16=True, session=tmp_path / "again", quiet=True), pins)


def test_magika_is_fixed_by_pins_none_of_which_can_be_left_out(
    tmp_path: Path, model_path: Callable[[str], Path]
) -> None:
    model = model_path("magika_standard_v3_3.onnx")
    report = fixed(model, tmp_path / "session", "--builds", 1, "--input-shapes", MAGIKA_SHAPE)
    assert_latencies_are_told(report)
    pins = fewest_pins(report)
    assert len(pins) <= 2
    options = CaseOptions(
        model, fp16=True, input_shapes=[MAGIKA_SHAPE], session=tmp_path / "again", quiet=True
    )
    assert_each_pin_is_needed(options, pins)


def test_a_kept_engine_is_timed_on_the_gpu_without_the_copies(tmp_path: Path) -> None:
    model = tmp_path / "attn.onnx"
    subprocess.run([sys.executable, ROOT / "samples" / "attention.py", model], check=True)
    feeds = {"x": np.random.default_rng(0).standard_normal((1, 64, 256)).astype(np.float32)}
    backend, kept = TensorrtBackend(), tmp_path / "trial" / "engine.plan"
    assert isinstance(backend, KeepsEngines)
    options = BuildOptions("fp16", optimization_level=0)
    built = backend.build(BuildRequest(model, options, tmp_path, engine_file=kept))
    loaded = backend.build(BuildRequest(kept, options, tmp_path))
    for before, after in zip(built.run(feeds).values(), loaded.run(feeds).values(), strict=True):
        np.testing.assert_array_equal(after, before)
    assert isinstance(loaded, TimesInference)
    watch = loaded.stopwatch(feeds)
    times = [watch() for _ in range(20)]
    print(f"{min(times):.4f} to {max(times):.4f} ms")
    assert 0.005 < min(times) <= max(times) < 20
    assert isinstance(built, TimesInference)
    other = built.stopwatch(feeds)
    assert np.median([other() for _ in range(20)]) == pytest.approx(np.median(times), rel=0.3)
    loaded.close()
    built.close()
