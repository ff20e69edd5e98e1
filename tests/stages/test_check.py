"""All checks on a model by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from seed_models import identity_add_identity

from trtdebug.backends.base import Availability
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.errors import UserError
from trtdebug.graph.load import save_model
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Check, CheckContext
from trtdebug.stages.check import check_model
from trtdebug.stages.preflight import CaseRequest


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


def test_without_onnxruntime_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(identity_add_identity(), tmp_path / "model.onnx")
    missing = Availability(False, reason="onnxruntime is not installed (pip install 'trtdebug[cpu]')")
    monkeypatch.setattr(OnnxruntimeBackend, "probe", lambda self: missing)
    plugins = PluginManager.load(builtins=BUILTINS, third_party=False)
    with pytest.raises(UserError, match="onnxruntime does not work here: onnxruntime is not installed"):
        check_model(CaseRequest(tmp_path / "model.onnx"), plugins)
