"""The smaller parts: the probe, the backend where TensorRT is not, the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.backends.tensorrt.child import Ended
from trtdebug.backends.tensorrt.logger import LogSink
from trtdebug.backends.tensorrt.probe import parse_answer
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure


def test_the_probes_answer_survives_noise_and_crashes() -> None:
    good = parse_answer(Ended(0, 'noise\n{"x": 1}\n{"ok": true, "version": "8.6.0", "device": "H200"}\n', ""))
    assert (good.ok, good.version, good.device) == (True, "8.6.0", "H200")
    died = parse_answer(Ended(-11, "", "")).reason
    assert died.endswith("ended with SIGSEGV (segmentation fault): it said nothing")
    assert "exit code 1: boom" in parse_answer(Ended(1, "{broken", "trace\nboom")).reason


def test_the_backend_says_why_it_is_not_here(tmp_path: Path) -> None:
    backend = TensorrtBackend()
    found = backend.probe()
    if found.ok:
        pytest.skip("TensorRT works here")
    assert found.reason
    with pytest.raises(BuildFailure, match=r"TensorRT|GPU"):
        backend.build(BuildRequest(tmp_path / "m.onnx", BuildOptions(), tmp_path))


def test_the_log_keeps_errors() -> None:
    sink = LogSink()
    sink.add("WARNING", "one")
    sink.add("ERROR", "two\n lines")
    assert sink.first_error() == "two lines"
    assert sink.errors == ["two\n lines"]
