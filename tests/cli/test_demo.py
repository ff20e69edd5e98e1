"""`trtdebug demo`, as `make demo` calls it."""

from __future__ import annotations

from pathlib import Path

from command_line import trtdebug

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
