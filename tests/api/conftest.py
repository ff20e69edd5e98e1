"""The demo's model, diagnosed once by the Python API."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from in_process import jobs_run_here

import trtdebug

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture(scope="session")
def layernorm() -> onnx.ModelProto:
    """samples/layernorm_overflow.py: four nodes overflow in FP16."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SAMPLES))
        from layernorm_overflow import build

        return build()


@pytest.fixture(scope="session")
def result(layernorm: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> trtdebug.DebugResult:
    """What `debug` says of it."""
    session = tmp_path_factory.mktemp("api") / "session"
    with jobs_run_here():
        return trtdebug.debug(layernorm, fp16=True, candidate="emulator", until="fix", session=session)
