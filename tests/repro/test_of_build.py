"""Repros of models that are not built."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from contexts import of_request

from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.build_error import BuildError
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.debugger import Debugger
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.repro.scripts.build_repro import BACKENDS, reproduce
from trtdebug.repro.scripts.result import GONE, SHOWS, UNTESTABLE
from trtdebug.stages.opening.preflight import CaseRequest

# onnxruntime has no kernel for this operator in FP64
UNSUPPORTED = "g (double[2] x) => (double[2] y) <double[2] b> { a = Relu(x) b = Sinh(a) y = Neg(b) }"


@pytest.fixture
def unbuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Diagnosis:
    monkeypatch.setattr(OnnxruntimeBackend, "stands_in", False)  # here it is the builder
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {UNSUPPORTED}')
    onnx.save(model, tmp_path / "model.onnx")
    plugins = PluginManager.load(builtins=BUILTINS, third_party=False)
    request = CaseRequest(tmp_path / "model.onnx", candidate="onnxruntime")
    return Debugger(of_request(request, tmp_path / "session", plugins), until="repro").run()


def test_it_shows_the_same_failure_in_a_fresh_process(unbuilt: Diagnosis) -> None:
    assert unbuilt.repro is not None
    assert unbuilt.repro.verified, unbuilt.repro.note
    folder = Path(unbuilt.repro.path)
    assert [n.op_type for n in onnx.load(folder / "model.onnx").graph.node] == ["Sinh"]
    readme = (folder / "README.md").read_text()
    assert "There are no recorded inputs for the piece: the reference cannot run" in readme
    assert "trtexec \\\n    --onnx=model.onnx" in readme


def test_its_script_tells_built_from_not_built(unbuilt: Diagnosis) -> None:
    assert unbuilt.repro is not None
    folder = Path(unbuilt.repro.path)
    shows = reproduce(folder)
    assert (shows.exit, shows.signature) == (SHOWS, "build-failure")
    healthy = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Neg(x) }'
    )
    onnx.save(healthy, folder / "model.onnx")
    assert reproduce(folder).exit == GONE
    assert reproduce(folder, "elsewhere").exit == UNTESTABLE


@pytest.mark.parametrize(("said", "exit_code"), [("no importer for n_z", SHOWS), ("n_y is odd", UNTESTABLE)])
def test_another_error_than_that_of_the_search_is_no_proof(
    said: str, exit_code: int, unbuilt: Diagnosis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unbuilt.repro is not None
    folder = Path(unbuilt.repro.path)
    manifest = json.loads((folder / "repro.json").read_text())
    manifest["build_errors"] = [asdict(BuildError("parse", "no importer for n_y", "UNSUPPORTED_NODE"))]
    manifest["names"] += ["n_y", "n_z"]
    (folder / "repro.json").write_text(json.dumps(manifest))
    monkeypatch.setitem(
        BACKENDS, "tensorrt", lambda model, _: ("1", (BuildError("parse", said, "UNSUPPORTED_NODE"),))
    )
    result = reproduce(folder, "tensorrt")
    assert result.exit == exit_code
    assert ("fails otherwise" in result.reason) == (exit_code == UNTESTABLE)


def test_that_onnxruntime_does_not_load_it_either_is_no_proof(unbuilt: Diagnosis) -> None:
    assert unbuilt.repro is not None
    folder = Path(unbuilt.repro.path)
    manifest = json.loads((folder / "repro.json").read_text())
    manifest["candidate"] = "tensorrt"
    manifest["build_errors"] = [
        asdict(BuildError("parse", "no importer", "UNSUPPORTED_NODE", operator="Sinh"))
    ]
    (folder / "repro.json").write_text(json.dumps(manifest))
    result = reproduce(folder, "onnxruntime")
    assert result.exit == UNTESTABLE
    assert result.reason.startswith("it fails otherwise: onnxruntime cannot load the model")


def test_recorded_inputs_lie_beside_it(tmp_path: Path) -> None:
    """Of a piece whose inputs the reference can compute."""
    from trtdebug.repro.of_build import export_unbuilt
    from trtdebug.stages.unbuilt.unbuildable import Unbuildable

    text = "g (float[2] x) => (float[2] y) { a = Relu(x) y = Neg(a) }"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')
    onnx.save(model, tmp_path / "model.onnx")
    plugins = PluginManager.load(builtins=BUILTINS, third_party=False)
    request = CaseRequest(tmp_path / "model.onnx", candidate="onnxruntime")
    ctx = of_request(request, tmp_path / "session", plugins)
    piece = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[2] a) => (float[2] y) { y = Neg(a) }'
    )
    result = export_unbuilt(
        ctx, Unbuildable(("y",), BuildError("build", "no"), piece), tmp_path / "repro", "", {}
    )
    assert not result.verified  # onnxruntime does build it
    (manifest,) = [json.loads((tmp_path / "repro" / "repro.json").read_text())]
    assert [i["name"] for i in manifest["inputs"]] == ["a"]
    assert np.load(tmp_path / "repro" / manifest["inputs"][0]["file"]).min() >= 0


def test_anonymised_it_is_not_built_either_and_says_no_name(unbuilt: Diagnosis, tmp_path: Path) -> None:
    from trtdebug.repro.anonymise import anonymise
    from trtdebug.repro.verify import verify

    assert unbuilt.repro is not None
    assert anonymise(Path(unbuilt.repro.path), tmp_path / "anonymous").reason == ""
    assert verify(tmp_path / "anonymous").reproduced
    text = (tmp_path / "anonymous" / "repro.json").read_text()
    manifest = json.loads(text)
    assert manifest["anonymised"]
    assert not {"n_a", "n_b", "a", "b", "Sinh_0"} & {*manifest["names"], *manifest["nodes"]}
    model = onnx.load(tmp_path / "anonymous" / "model.onnx")
    assert [n.op_type for n in model.graph.node] == ["Sinh"]
    assert set(manifest["names"]) == {n.name for n in model.graph.node} | {
        t for n in model.graph.node for t in (*n.input, *n.output)
    }
