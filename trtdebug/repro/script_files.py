"""The scripts of a repro folder, each one file that runs alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from trtdebug.scripts.bundle import bundle

REPRO, BISECT = "repro.py", "bisect_tensorrt.py"
"""The names of Python's own modules are taken: a script finds those of its folder first."""


def write_scripts(folder: Path, kind: Literal["run_repro", "build_repro"]) -> None:
    """Writes repro.py, of a kind, and bisect_tensorrt.py."""
    for name, module in ((REPRO, kind), (BISECT, "bisect_versions")):
        (folder / name).write_text(source(module), encoding="utf-8")


@cache
def source(module: str) -> str:
    """Of one of `trtdebug.repro.scripts`, as it lies in a folder."""
    return bundle(f"trtdebug.repro.scripts.{module}")
