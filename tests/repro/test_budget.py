"""Folders that may not be large."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trtdebug.core.errors import UserError
from trtdebug.repro.budget import shrunk
from trtdebug.repro.export import export
from trtdebug.repro.manifest import read_manifest
from trtdebug.repro.verify import verify

NODES = ("fc1", "fc1_bias", "fc1_relu", "fc2", "fc2_bias", "norm_mean", "norm_centre", "norm_pow")


def size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def whole(layernorm, tmp_path: Path) -> Path:
    return export(layernorm.spec(NODES), tmp_path / "whole").path


def test_what_is_only_handy_goes_first_and_the_failure_stays(whole: Path, layernorm, tmp_path: Path) -> None:
    limits = (size(whole) + 70_000, size(whole) + 60_000, size(whole) + 40_000)
    left = []
    for number, limit in enumerate(limits):
        folder = export(replace(layernorm.spec(NODES), max_size=limit), tmp_path / str(number)).path
        assert size(folder) <= limit
        assert verify(folder).reproduced
        left.append(read_manifest(folder).left_out)
        readme = (folder / "README.md").read_text(encoding="utf-8")
        assert all(f"`{part}`" in readme for part in left[-1])
    assert left == [(), ("polygraphy.sh",), ("polygraphy.sh", "trtexec.sh", "typed.onnx")]
    assert not list((tmp_path / "2").rglob("*.bin"))


def test_what_is_needed_and_too_large_is_refused(layernorm, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"most of them .*\.onnx, and --max-size is 70000"):
        export(replace(layernorm.spec(NODES), max_size=70_000), tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_a_folder_that_is_written_can_be_shrunk(whole: Path) -> None:
    shrunk(whole, size(whole) + 60_000)
    assert read_manifest(whole).left_out == ("polygraphy.sh",)
    assert "Left out later" in (whole / "README.md").read_text(encoding="utf-8")
    assert verify(whole).reproduced
