"""The files of a repro folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trtdebug.repro.scripts.result import Tensor, Untestable


def existing(folder: Path, name: str) -> Path:
    """A file of the folder. Raises `Untestable` where it is missing."""
    path = folder / name
    if not path.is_file():
        raise Untestable(f"{name} is missing")
    return path


def load_tensor(folder: Path, name: str) -> Tensor:
    """A .npy file of the folder. Raises `Untestable` where it is none."""
    try:
        loaded: Tensor = np.load(existing(folder, name), allow_pickle=False)
    except (ValueError, EOFError):  # numpy's own words advise to unpickle it
        raise Untestable(f"{name} is no .npy file of numbers, or a damaged one") from None
    return loaded
