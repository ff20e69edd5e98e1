"""Each first-party extension has a debug session in its README, which runs here and writes what stands there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from readme_sessions import ROOT, check_readme, differs, steps
from rtx_extension import rtx_paths

EXTENSIONS = sorted(path.parent.name for path in (ROOT / "extensions").glob("*/pyproject.toml"))


def _modelopt() -> str:
    """Why there is no AutoCast here; empty where there is."""
    python = os.environ.get("TRTDEBUG_MODELOPT_PYTHON") or sys.executable
    code = "import importlib.metadata as m; m.version('nvidia-modelopt')"
    done = subprocess.run([python, "-c", code], capture_output=True, check=False)
    return f"{python} has no nvidia-modelopt" if done.returncode else ""


@pytest.mark.parametrize("name", EXTENSIONS)
def test_the_session_writes_what_the_readme_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "trtdebug-modelopt" and (missing := _modelopt()):
        pytest.skip(missing)
    if name == "trtdebug-rtx":
        paths = rtx_paths(tmp_path / "site")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))  # of the fresh process that verifies a repro
        for path in paths:
            monkeypatch.syspath_prepend(path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    work = tmp_path / "work"
    work.mkdir()
    assert check_readme(ROOT / "extensions" / name / "README.md", work) > 1


# the comparison itself -------------------------------------------------------------------------------------


def test_sessions_are_console_blocks(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(
        "```sh\nno\n```\n\n```console\n$ one\nout\n\nmore\n$ two\n```\n```console\n$ three\n```\n"
    )
    assert [(step.line, step.output) for step in steps(page)] == [
        ("one", ("out", "", "more")),
        ("two", ()),
        ("three", ()),
    ]


@pytest.mark.parametrize(
    ("expected", "written", "same"),
    [
        ("a 1\nb", "a 1\nb\n", True),
        ("a 1", "a 2", False),
        ("a   b", "a b", True),
        ("error 0.974", "error 0.98", True),
        ("error 0.974", "error 0.5", False),
        ("error 0.974", "error none", False),
        ("error 1e-05", "error 1.02e-05", True),
        ("in 0.1 s, 3 left", "in 12 s, 3 left", True),
        ("in 0.1 s, 3 left", "in 0.1 s, 4 left", False),
        ("onnxruntime 1.32.0", "onnxruntime 1.17.3", True),
        (".trtdebug/20261129-194648-m", ".trtdebug/20250101-000000-m", True),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nb\nc", False),
        ("...\nd", "d", True),
        ("a\n...", "a\nb", True),
        ("a", "a\nb", False),
        ("a\nb", "a", False),
        ("the rest ...", "the rest of it", True),
        ("the rest ...", "a rest of it", False),
        ("", "", True),
    ],
)
def test_lines_are_compared(expected: str, written: str, same: bool) -> None:
    assert (differs(tuple(expected.splitlines()), written) == "") is same
