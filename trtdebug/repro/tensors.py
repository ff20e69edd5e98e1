"""Recorded tensors of a repro folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from polygraphy.comparator import IterationResult, RunResults
from polygraphy.json import save_json

from trtdebug.core.errors import UserError
from trtdebug.repro.commands import POLYGRAPHY_INPUTS, POLYGRAPHY_OUTPUTS
from trtdebug.repro.manifest import TensorFile, safe_name

Tensor = NDArray[np.generic]


def load_tensor(name: str, path: Path) -> Tensor:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}, the recorded value of {name!r}, can't be read: {reason}.", "Record it again."
        ) from None
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path}, the recorded value of {name!r}, is no single array.", "Record it as .npy.")
    return array


def store(folder: Path, kind: str, tensors: Mapping[str, Tensor], *, raw: bool) -> tuple[TensorFile, ...]:
    """Writes tensors under names that no tensor name can lead astray."""
    (folder / kind).mkdir()
    files = []
    for position, (name, array) in enumerate(tensors.items()):
        stem = f"{kind}/{safe_name(position, name)}"
        np.save(folder / f"{stem}.npy", array, allow_pickle=False)
        if raw:
            array.tofile(folder / f"{stem}.bin")
        bare = f"{stem}.bin" if raw else None
        files.append(TensorFile(name, f"{stem}.npy", array.dtype.name, tuple(array.shape), bare))
    return tuple(files)


def rms(tensors: Mapping[str, Tensor]) -> dict[str, float]:
    """Root mean square of the finite elements of each tensor; 0 for one without."""
    found = {}
    for name, array in tensors.items():
        values = array.astype(np.float64).ravel()
        values = values[np.isfinite(values)]
        found[name] = float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
    return found


def store_for_polygraphy(
    folder: Path, inputs: Mapping[str, Tensor], expected: Mapping[str, Tensor] | None = None
) -> None:
    """Writes the inputs, and the outputs as those of a runner "reference", in Polygraphy's own format."""
    save_json([dict(inputs)], str(folder / POLYGRAPHY_INPUTS))
    if expected:
        made = IterationResult(dict(expected), runner_name="reference")
        save_json(RunResults([("reference", [made])]), str(folder / POLYGRAPHY_OUTPUTS))
