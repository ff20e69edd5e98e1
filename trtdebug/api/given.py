"""Models and inputs that were given in memory, written into the session: other processes read them there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from trtdebug.core.errors import UserError
from trtdebug.graph.load import save_model

FOLDER = "given"
"""In the session's folder. Names in it are of the content, so that another model never takes the place of one."""


def stored_model(model: onnx.ModelProto, session: Path) -> Path:
    """Where the model lies. Raises `UserError` for one that is too large to be given in memory."""
    try:
        content = model.SerializeToString()
    except Exception as error:  # protobuf has one type for this, the Python one another
        raise UserError(
            f"the model cannot be serialised: {' '.join(str(error).split())}.",
            "Save it with onnx.save(model, path, save_as_external_data=True), and give the path.",
        ) from error
    path = session / FOLDER / f"model-{hashlib.sha256(content).hexdigest()[:12]}.onnx"
    if not path.exists():
        save_model(model, path)
    return path


def stored_inputs(given: Mapping[str, Any] | Sequence[Mapping[str, Any]], session: Path) -> Path:
    """Folder with an .npz a sample, as `--inputs` reads it.

    Raises:
        UserError: not arrays by input name, or no sample at all.
    """
    if not isinstance(given, Iterable):
        raise UserError(
            f"inputs are of type {type(given).__name__}.",
            "Give a mapping of input names to arrays, or several.",
        )
    samples = [_arrays(s) for s in ([given] if isinstance(given, Mapping) else given)]
    if not samples:
        raise UserError("inputs hold no sample.", "Give a mapping of input names to arrays, or several.")
    digest = hashlib.sha256()
    for sample in samples:
        for name, array in sample.items():
            digest.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode())
            digest.update(array.tobytes())
        digest.update(b"\1")
    folder = session / FOLDER / f"inputs-{digest.hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(samples):
        with (folder / f"{number:06}.npz").open("wb") as file:
            np.savez(file, **sample)  # type: ignore[arg-type]  # names of arrays, and no option of savez
    return folder


def _arrays(sample: object) -> dict[str, np.ndarray[Any, Any]]:
    if not isinstance(sample, Mapping):
        raise UserError(
            f"a sample is no mapping of input names to arrays, but {type(sample).__name__}.",
            "Give {'name': array, ...}, or a list of such.",
        )
    arrays = {str(name): _array(str(name), value) for name, value in sample.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biufcUS":
            raise UserError(
                f"the input {name!r} has elements of type {array.dtype}, which is no number.",
                "Give a numpy array of the type that the model takes.",
            )
    return arrays


def _array(name: str, value: object) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(value)
    except Exception as error:  # whatever other libraries' arrays raise, on a GPU for instance
        why = " ".join(str(error).split()).rstrip(".")
        raise UserError(
            f"the input {name!r} is not to be had as an array: {why}.",
            "Give a numpy array of the type that the model takes.",
        ) from error
