"""TensorRT is started by the raw words of the command line, before anything has read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtdebug.api import opening
from trtdebug.cli import early
from trtdebug.plugins.selection import Selection
from trtdebug.session import ahead


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "m.onnx"
    path.touch()
    return str(path)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, str], str]]:
    """What is asked to start, on a machine where every module can be found."""
    asked: list[tuple[dict[str, str], str]] = []
    monkeypatch.setattr(opening, "find_spec", lambda name: object())
    monkeypatch.setattr(ahead, "start_ahead", lambda environment, warm: asked.append((environment, warm)))
    return asked


@pytest.mark.parametrize(
    "words",
    [
        ["run", "MODEL"],
        ["bisect", "MODEL", "--fp16"],
        ["run", "MODEL", "--candidate", "tensorrt"],
        ["run", "--candidate=auto", "MODEL"],
        ["run", "MODEL", "--candidate", "emulator", "--candidate", "tensorrt"],
    ],
)
def test_commands_that_may_build_with_tensorrt_start_it(started, model, words):
    early.start_early([model if w == "MODEL" else w for w in words])
    assert started == [(Selection.of([], True).to_env(), "tensorrt")]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--help"],
        ["run", "--help"],
        ["run", "no-such-file.onnx"],
        ["check", "MODEL"],
        ["run", "MODEL", "--candidate", "emulator"],
        ["run", "MODEL", "--candidate=onnxruntime"],
    ],
)
def test_others_do_not(started, model, words):
    early.start_early([model if w == "MODEL" else w for w in words])
    assert started == []


def test_the_worker_gets_the_plugins_of_the_command_line(started, model):
    early.start_early(["-p", "no:layernorm", "--no-plugins", "run", model])
    [(environment, _)] = started
    assert environment == Selection.of(["layernorm"], False).to_env()


def test_without_tensorrt_nothing_is_started(started, model, monkeypatch):
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    early.start_early(["run", model])
    assert started == []
