"""What only TensorRT has a use for is told where the candidate is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_backend import FakeBackend

from trtdebug.backends.base import Backend
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.case import BuildOptions
from trtdebug.stages.opening.ignored import ignored_options
from trtdebug.stages.opening.preflight import CaseRequest

MODEL = Path("m.onnx")
ALL = BuildOptions(tactic_sources="FOO", optimization_level=0, calibration_cache="c", plugins=("p.so",))


@pytest.mark.parametrize("backend", [EmulatorBackend(), OnnxruntimeBackend()])
def test_each_is_named(backend: Backend) -> None:
    plugins, others = ignored_options(backend, CaseRequest(MODEL, ALL, good_tactics=Path("t.json")))
    assert (plugins.id, others.id) == ("plugins-ignored", "options-ignored")
    assert others.message == (
        "--tactic-sources, --opt-level, --good-tactics, --calibration-cache: "
        f"ignored by {backend.name}, which is no TensorRT"
    )


def test_nothing_is_said_where_nothing_was_given_or_somebody_may_use_it() -> None:
    assert ignored_options(EmulatorBackend(), CaseRequest(MODEL, BuildOptions("fp16", tf32=False))) == ()
    assert ignored_options(FakeBackend(), CaseRequest(MODEL, ALL)) == ()
