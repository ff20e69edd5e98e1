"""What is debugged is told to nobody, as docs/faq.md says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT
from seed_models import identity_add_identity

from trtdebug.graph.load import save_model
from trtdebug.repro.script_files import source

_SAYS_NO = ("ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "CI", "GITHUB_ACTIONS", "TF_BUILD")
"""Variables with which onnxruntime tells nothing, whatever we do."""


def python(code: str, home: Path, **variables: str) -> str:
    """What a fresh process prints that knows the package, and has `home` as the user's folder."""
    env = {k: v for k, v in os.environ.items() if k not in (*_SAYS_NO, "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env | {"HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=home,
    )
    return done.stdout.strip()


_SHOW = "import os; print(os.environ.get('ORT_DISABLE_TELEMETRY'))"


def test_onnxruntime_is_told_to_send_nothing_before_it_is_loaded(tmp_path: Path) -> None:
    told = python(f"import sys, trtdebug; print('onnxruntime' in sys.modules); {_SHOW}", tmp_path)
    assert told.split() == ["False", "1"]


def test_onnxruntime_keeps_no_identifier_in_the_users_folder(tmp_path: Path) -> None:
    save_model(identity_add_identity(), tmp_path / "model.onnx")
    python("import trtdebug; trtdebug.debug('model.onnx', candidate='onnxruntime')", tmp_path)
    assert not list(tmp_path.rglob("*deviceid*"))


def test_what_the_user_has_decided_stays(tmp_path: Path) -> None:
    assert python(f"import trtdebug; {_SHOW}", tmp_path, ORT_DISABLE_TELEMETRY="0") == "0"


@pytest.mark.parametrize(
    ("script", "call"),
    [
        ("run_repro", "run_onnxruntime(Path(), 'model.onnx', {})"),
        ("build_repro", "build_onnxruntime(Path('model.onnx'), {'options': {}})"),
    ],
)
def test_the_scripts_of_a_repro_send_nothing_either(script: str, call: str, tmp_path: Path) -> None:
    """They run where there is no trtdebug."""
    save_model(identity_add_identity(), tmp_path / "model.onnx")
    (tmp_path / "script.py").write_text(source(script), encoding="utf-8")
    code = f"""
from pathlib import Path
from script import *
try:
    {call}
except Untestable:  # it was fed with nothing
    pass
"""
    assert python(f"{code}\n{_SHOW}", tmp_path, PYTHONPATH=str(tmp_path)) == "1"
