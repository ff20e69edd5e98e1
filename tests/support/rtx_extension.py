"""The extension trtdebug-rtx and TensorRT-RTX, importable as if they were installed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import bindings

EXTENSION = Path(__file__).resolve().parents[2] / "extensions" / "trtdebug-rtx"


def rtx_paths(folder: Path) -> list[str]:
    """What to put on sys.path, of this process and of its workers. `folder`: takes what installing would write."""
    site = bindings.ROOT / bindings.RTX
    if not site.is_dir():
        bindings.missing("TensorRT-RTX is not at hand (make setup fetches it)")
    paths = [str(site)]
    try:
        importlib.metadata.distribution("trtdebug-rtx")
    except importlib.metadata.PackageNotFoundError:
        info = folder / "trtdebug_rtx-0.1.0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-rtx\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text("[trtdebug]\nrtx = trtdebug_rtx\n")
        paths += [str(folder), str(EXTENSION)]
    return paths
