"""Reads input samples from files: .npz, folders of .npy, polygraphy's JSON. Nothing is ever unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from trtdebug.core.errors import UserError

Tensor = NDArray[np.generic]

_NPY = b"\x93NUMPY"
_KINDS = "Give an .npz file, a folder of .npy files, or a .json that polygraphy saved."


def load_inputs(path: Path) -> list[dict[str, Tensor]]:
    """The samples in a file or folder, one mapping of input name to array each.

    An .npz or a folder of .npy (file stem = input name, "/" and the like percent-encoded) is one sample; a folder
    of .npz or of such folders holds several, in order of their names; polygraphy's JSON holds any number.

    Raises:
        UserError: nothing there, of no such kind, damaged, or with objects that only pickle could read.
    """
    if is_npz(path):
        return load_npz(path)
    if is_npy_folder(path):
        return load_npy_folder(path)
    if is_polygraphy_json(path):
        return load_polygraphy_json(path)
    if not path.exists():
        raise UserError(f"There is no file or folder {path}.", _KINDS)
    raise UserError(f"{path} holds no inputs that can be read.", _KINDS)


def is_npz(path: Path) -> bool:
    """Whether the path is an existing .npz file."""
    return path.suffix == ".npz" and path.is_file()


def load_npz(path: Path) -> list[dict[str, Tensor]]:
    """The one sample of an .npz file. Raises `UserError` where it is damaged or holds objects."""
    try:
        # Opened here, as numpy leaves the file open where it is no archive.
        with path.open("rb") as file:
            if _starts_with(path, _NPY):
                raise UserError(f"{path} is no .npz archive but a single array.", "Save it with numpy.savez.")
            if not zipfile.is_zipfile(file):
                raise UserError(
                    f"{path} is not an .npz file, or a damaged one.", "Save it again with numpy.savez."
                )
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return [{name: _clean(archive[name], f"{name!r} of {path}") for name in archive}]
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} can't be read as .npz: {_reason(error)}.", "Save it again with numpy.savez."
        ) from None


def is_npy_folder(path: Path) -> bool:
    """Whether the path is a folder with .npy files, or with .npz files or such folders as samples."""
    if not path.is_dir():
        return False
    return any(
        entry.suffix in (".npy", ".npz") or (entry.is_dir() and any(entry.glob("*.npy")))
        for entry in path.iterdir()
    )


def load_npy_folder(path: Path) -> list[dict[str, Tensor]]:
    """The samples of a folder; see `load_inputs`. Raises `UserError` where a file is damaged."""
    arrays = sorted(path.glob("*.npy"))
    samples = sorted(entry for entry in path.iterdir() if is_npz(entry) or is_npy_folder(entry))
    if arrays and samples:
        raise UserError(
            f"{path} holds both .npy files and samples ({samples[0].name}).",
            "Either .npy files (one sample), or .npz files or folders of .npy (a sample each).",
        )
    if arrays:
        return [{unquote(file.stem): _load_npy(file) for file in arrays}]
    return [sample for entry in samples for sample in load_inputs(entry)]


def is_polygraphy_json(path: Path) -> bool:
    """Whether the path is an existing .json file."""
    return path.suffix == ".json" and path.is_file()


def load_polygraphy_json(path: Path) -> list[dict[str, Tensor]]:
    """The samples of a JSON file as polygraphy saves inputs, or the results of one runner.

    Raises:
        UserError: not such a file.
    """
    from polygraphy.comparator import RunResults
    from polygraphy.exception import PolygraphyException
    from polygraphy.json import load_json

    hint = "Save inputs with polygraphy's --save-inputs."
    try:
        content = load_json(str(path))
    except (ValueError, KeyError, TypeError, OSError, PolygraphyException) as error:
        raise UserError(f"{path} can't be read as polygraphy's JSON: {error}.", hint) from None
    if isinstance(content, RunResults):
        runners = list(content.keys())
        if len(runners) != 1:
            raise UserError(f"{path} holds the results of {len(runners)} runners, not inputs.", hint)
        content = [dict(result.items()) for result in content[runners[0]]]
    if not isinstance(content, list) or not content:
        raise UserError(f"{path} is no list of samples.", hint)
    samples = []
    for position, sample in enumerate(content):
        if not isinstance(sample, Mapping):
            raise UserError(f"Sample {position} of {path} is no mapping of names to arrays.", hint)
        samples.append(
            {
                str(name): _clean(array, f"{name!r} of sample {position} of {path}")
                for name, array in sample.items()
            }
        )
    return samples


def _load_npy(path: Path) -> Tensor:
    hint = "Save it again with numpy.save."
    try:
        if not _starts_with(path, _NPY):
            raise UserError(f"{path} is not an .npy file.", hint)
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path} can't be read as .npy: {_reason(error)}.", hint) from None
    return _clean(array, str(path))


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _reason(error: Exception) -> str:
    """numpy's reason, but for objects: there numpy advises to unpickle them, which is not safe."""
    text = " ".join(str(error).split())
    return "it holds Python objects, which are never unpickled" if "pickle" in text else text


def _clean(array: object, what: str) -> Tensor:
    """The array in native byte order and C order, 0-d arrays kept as such."""
    if not isinstance(array, np.ndarray):
        raise UserError(f"{what} is no array but {type(array).__name__}.", _KINDS)
    if array.dtype.kind not in "biufcUS":
        raise UserError(
            f"{what} has elements of type {array.dtype}, which is no number.",
            "Save it as a numpy number type.",
        )
    return np.require(array, dtype=array.dtype.newbyteorder("="), requirements="C")
