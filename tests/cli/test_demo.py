"""`trtdebug demo`, as `make demo` calls it."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from command_line import trtdebug
from in_process import trtdebug as here

from trtdebug.cli.demo import SAMPLES

NAMES = ["  norm_pow", "  norm_var", "  norm_eps", "  norm_sqrt"]


def test_the_demo_works_in_any_folder(tmp_path: Path) -> None:
    done = trtdebug("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [session] = (tmp_path / ".trtdebug").iterdir()
    lines = done.stdout.splitlines()
    assert lines[0] == f"$ trtdebug run {session.relative_to(tmp_path)}/demo.onnx --fp16"
    assert lines[1].startswith("DIVERGES")
    assert "cause: 4 node(s)" in lines
    assert [n for n in lines if n in NAMES] == NAMES
    assert any(n.startswith("fix (verified): pin 4 nodes to FP32") for n in lines)
    assert any(n.startswith("repro (fails in a fresh process)") for n in lines)
    assert (session / "report.json").is_file()


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_can_be_had_as_a_file(sample: str, tmp_path: Path) -> None:
    done = here("demo", "--sample", sample, "--save", tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    assert done.stdout == f"wrote {tmp_path / 'm.onnx'} ({len(model.graph.node)} nodes)\n"
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_the_samples_are_those_of_the_folder() -> None:
    folder = Path(__file__).resolve().parents[2] / "samples"
    assert set(SAMPLES) == {p.stem for p in folder.glob("[a-z]*.py")}


def test_bad_samples_and_files_are_one_line(tmp_path: Path) -> None:
    assert here("demo", "--sample", "nope").stderr.startswith("error: there is no sample 'nope'.")
    (tmp_path / "file").touch()
    assert "cannot be written" in here("demo", "--save", tmp_path / "file" / "m.onnx").stderr
