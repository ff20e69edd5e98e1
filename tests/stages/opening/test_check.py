"""All checks on a model by itself."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx.parser
import pytest
from onnx import TensorProto
from seed_models import identity_add_identity, mnist

from trtdebug.backends.base import Availability
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.errors import UserError
from trtdebug.graph.load import save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check, CheckContext
from trtdebug.stages.opening.check import check_model
from trtdebug.stages.opening.preflight import CaseRequest


def broken(context: CheckContext) -> list:
    raise IndexError("of no use")


class Broken:
    @hookimpl
    def trtdebug_checks(self):
        return (Check("broken", "raises", broken),)


def test_a_check_that_raises_is_told(tmp_path: Path) -> None:
    save_model(identity_add_identity(), tmp_path / "model.onnx")
    plugins = PluginManager.load(builtins=[*BUILTINS, Broken()], third_party=False)
    findings = check_model(CaseRequest(tmp_path / "model.onnx"), plugins)
    [told] = [f for f in findings if f.id == "extension-failed"]
    assert "check broken: IndexError: of no use" in told.message


def test_a_reference_that_cannot_run_points_at_findings_only_where_there_are_some(tmp_path: Path) -> None:
    """onnxruntime has no kernel for this type, and nothing is wrong with the model."""
    text = '<ir_version: 9, opset_import: ["" : 17]> g (bfloat16[2] x) => (bfloat16[2] y) { y = Asinh(x) }'
    save_model(onnx.parser.parse_model(text), tmp_path / "model.onnx")
    plugins = PluginManager.load(builtins=BUILTINS, third_party=False)
    [unable] = check_model(CaseRequest(tmp_path / "model.onnx"), plugins)
    assert unable.id == "reference-cannot-run"
    assert "other findings" not in unable.mitigation
    save_model(mnist(argmax=TensorProto.INT32), tmp_path / "model.onnx")
    *_, wrong, unable = check_model(CaseRequest(tmp_path / "model.onnx"), plugins)
    assert wrong.id == "wrong-declared-type"
    assert unable.mitigation == "See the other findings for the cause."


def test_without_onnxruntime_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(identity_add_identity(), tmp_path / "model.onnx")
    missing = Availability(False, reason="onnxruntime is not installed (pip install 'trtdebug[cpu]')")
    monkeypatch.setattr(OnnxruntimeBackend, "probe", lambda self: missing)
    plugins = PluginManager.load(builtins=BUILTINS, third_party=False)
    with pytest.raises(UserError, match="onnxruntime does not work here: onnxruntime is not installed"):
        check_model(CaseRequest(tmp_path / "model.onnx"), plugins)
