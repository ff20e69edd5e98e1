"""The real AutoCast on models that overflow FP16: what it keeps, and whether that passes on the emulator."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import trtdebug_modelopt
from trtdebug_modelopt.autocast import AutocastError, convert, version
from trtdebug_modelopt.command import autocast

from trtdebug.core.case import BuildOptions
from trtdebug.debugger import Debugger
from trtdebug.graph.load import load_model, save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.testing import onnxruntime_reference
from trtdebug.report.build import build_report
from trtdebug.report.write import write_reports
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest, prepare, store_samples

ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / ".." / "shared" / "models"


@pytest.fixture(scope="module", autouse=True)
def _there() -> None:
    """Skips where AutoCast is not: it comes with torch, some GB, and CI has none of it."""
    try:
        version()
    except AutocastError as error:
        pytest.skip(str(error))


@pytest.fixture
def sample_model(monkeypatch: pytest.MonkeyPatch) -> Callable[..., onnx.ModelProto]:
    """A model of samples/, by name and arguments."""
    monkeypatch.syspath_prepend(str(ROOT / "samples"))
    return lambda name, **arguments: importlib.import_module(name).build(**arguments)


def diagnosed(model: onnx.ModelProto, folder: Path, **request: Any) -> Mapping[str, Any]:
    """report.json of `trtdebug fix --fp16` on the emulator, with this extension alone; written to folder/session."""
    save_model(model, folder / "model.onnx")
    manager = PluginManager.load(builtins=[*BUILTINS, trtdebug_modelopt], third_party=False)
    options = BuildOptions("fp16")
    prepared = prepare(CaseRequest(folder / "model.onnx", options, candidate="emulator", **request), manager)
    session = Session(folder / "session", InProcess(folder / "session", manager.backends()))
    store_samples(prepared, session.tensors)
    session.store_case(prepared.case)
    diagnosis = Debugger(Context(session, prepared.case, manager), until="fix").run()
    report = build_report(prepared.case, diagnosis)
    write_reports(report, folder / "session", manager)
    return report


def pins(fix: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for each in fix["interventions"] for name in each["nodes"])


def norm(name: str, *parts: str) -> set[str]:
    return {f"{name}_{part}" for part in parts}


WHOLE = ("mean", "centre", "pow", "var", "eps", "sqrt", "div", "mul", "add")
NEEDED = ("pow", "var", "eps", "sqrt")


def test_layernorm_overflow(sample_model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """11 nodes where 4 are needed: what passes 512 going in or out, and the LayerNorm whole."""
    report = diagnosed(sample_model("layernorm_overflow"), tmp_path)
    theirs, ours = report["fixes"]
    assert (theirs["beside"], theirs["verified"], ours["beside"], ours["verified"]) == (
        "AutoCast",
        True,
        "",
        True,
    )
    assert set(pins(theirs)) == {"fc2", "fc2_bias", *norm("norm", *WHOLE)}
    assert set(pins(ours)) == norm("norm", *NEEDED)
    autocast(tmp_path / "session", as_json=False)
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == [
        "ours      4 pins, verified (1 of 1 builds)",
        "AutoCast  11 pins, verified (1 of 1 builds)",
        "4 in both, 0 only ours, 7 only AutoCast's",
    ]
    assert len(said) == 5 + 11


def test_attention(sample_model, tmp_path: Path) -> None:
    """35 nodes where 12 are needed."""
    report = diagnosed(sample_model("attention"), tmp_path)
    theirs, ours = report["fixes"]
    assert (theirs["beside"], theirs["verified"], ours["verified"]) == ("AutoCast", True, True)
    norms = ("b3_ln1", "b3_ln2", "lnf")
    assert set(pins(ours)) == {n for name in norms for n in norm(name, *NEEDED)}
    beyond = {"b2_down", "b2_down_bias", "b2_stream", "b3_out", "b3_attended"}
    beyond |= {"b3_down", "b3_down_bias", "b3_stream"}
    assert set(pins(theirs)) == beyond | {n for name in norms for n in norm(name, *WHOLE)}


def test_magika(tmp_path: Path) -> None:
    """10 nodes where 2 are needed; by the session's own samples."""
    path = MODELS / "magika_standard_v3_3.onnx"
    if not path.is_file():
        pytest.skip(f"{path.name} is not at hand")
    np.savez(tmp_path / "in.npz", bytes=np.random.default_rng(0).integers(0, 257, (4, 2048)).astype(np.int32))
    report = diagnosed(load_model(path), tmp_path, inputs=tmp_path / "in.npz")
    theirs, ours = report["fixes"]
    assert (theirs["verified"], ours["verified"]) == (True, True)
    assert (len(pins(theirs)), len(pins(ours))) == (10, 2)
    assert set(pins(ours)) < set(pins(theirs))
    assert {p.rpartition("MagikaV2/")[2] for p in pins(ours)} == {
        "LayerNorm_1/Sum_1",
        "LayerNorm_1/truediv_1",
    }


def test_the_statistics_of_a_fused_layernorm_that_is_low(sample_model, tmp_path: Path) -> None:
    """All values stay below 512, so that AutoCast keeps no node; what its LayerNormalization stashes is FP32."""
    model = sample_model("layernorm_overflow", gain=200.0)
    theirs, ours = diagnosed(model, tmp_path)["fixes"]
    assert (theirs["verified"], ours["verified"]) == (True, True)
    assert set(pins(theirs)) == norm("norm", *WHOLE[:-2])
    assert set(pins(ours)) < set(pins(theirs))
    assert "7 of them the statistics of LayerNorms that it fuses" in theirs["summary"]


def test_its_model_is_the_fix_where_the_candidate_knows_no_pins(sample_model, tmp_path: Path) -> None:
    """It is the model on onnxruntime, up to FP16; what it gains depends on the candidate."""
    model = sample_model("layernorm_overflow")
    x = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
    mixed = convert(model, [{"x": x}], "fp16")
    expected = onnxruntime_reference(model, {"x": x})(["logits"])["logits"]
    found = onnxruntime_reference(mixed.model, {"x": x})(["logits"])["logits"]
    assert found.dtype == np.float32
    assert 0 < np.linalg.norm(found - expected) < 1e-2 * np.linalg.norm(expected)
