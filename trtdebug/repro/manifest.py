"""repro.json: what a repro folder holds, and under which file names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import cattrs

from trtdebug.core.build_error import BuildError
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import Precision
from trtdebug.core.jsonable import fault, loads
from trtdebug.core.outcome import Signature

MANIFEST = "repro.json"


@dataclass(frozen=True)
class TensorFile:
    """One recorded tensor.

    Attributes:
        name: ONNX name, any text.
        file: .npy file, relative to the folder.
        raw: the same values without a header, as trtexec reads them; None where nobody needs that.
    """

    name: str
    file: str
    dtype: str
    shape: tuple[int, ...]
    raw: str | None = None


@dataclass(frozen=True)
class Choice:
    """An expected output that holds indices (ArgMax, ArgMin, TopK), which are judged by the values that they choose.

    Attributes:
        output: its ONNX name.
        values: the reference's, that it was chosen from.
        axis: along which; may be negative.
        keepdims: the output has that axis, too.
        limit, atol, rtol: how far values may be apart that count as equal, as those of `Manifest`.
    """

    output: str
    values: TensorFile
    axis: int
    keepdims: bool
    limit: float
    atol: float | None = None
    rtol: float | None = None


@dataclass(frozen=True)
class Manifest:
    """The content of repro.json. `repro.py` in the folder reads it too.

    Attributes:
        nodes: ONNX node names in topological order; `pinned` are those that stay in FP32. `operators` are theirs.
        model: the piece as it is.
        emulated: the piece with rounding by Cast pairs, for plain onnxruntime; None where that means nothing.
        signature: how it fails; None where it passes, and this is a unit test.
        options: the operators among them are named relative to the folder.
        typed: the piece with the low precision written into it, for a strongly typed TensorRT; None likewise. Tensors
            that are to be marked (`options.marks`) are outputs of it.
        marked: the piece with these as outputs of its own, for what cannot mark; None where there are none, or it does
            not fail so.
        limit: relative RMS error that an output may have.
        atol, rtol: the element rule |c - r| <= atol + rtol * |r|, in place of `limit` where one is given.
        build_errors: of a model that is not built: what was said of it; a build with any of them shows the failure.
        names: names in the model, which make no difference in what is said.
        left_out: scripts and models that are not in the folder, to keep it small.
        anonymised: names, weights and inputs are not those of the model that it was cut out of.
        choices: of those expected outputs that hold indices: what they were chosen from.
    """

    nodes: tuple[str, ...]
    pinned: tuple[str, ...]
    precision: Precision
    candidate: str
    signature: Signature | None
    limit: float
    inputs: tuple[TensorFile, ...]
    expected: tuple[TensorFile, ...]
    model: str = "model.onnx"
    emulated: str | None = None
    typed: str | None = None
    options: BuildOptions = field(default_factory=BuildOptions)
    command: str = ""
    schema: int = 1
    atol: float | None = None
    rtol: float | None = None
    build_errors: tuple[BuildError, ...] = ()
    names: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    anonymised: bool = False
    marked: str | None = None
    choices: tuple[Choice, ...] = ()


def read_manifest(folder: Path) -> Manifest:
    """Reads repro.json of a repro folder.

    Raises:
        UserError: no such file, or not of this form.
    """
    path = folder / MANIFEST
    try:
        return loads(path.read_text(encoding="utf-8"), Manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{folder} is no repro: it has no {MANIFEST}.", "Name the folder of a repro."
        ) from None
    except (ValueError, cattrs.BaseValidationError) as error:
        raise UserError(f"{path} is damaged: {fault(error)}.", "Export the repro again.") from None


def safe_name(position: int, name: str) -> str:
    """File name without suffix for a tensor: unique by `position`, plain ASCII, at most 44 characters."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:40].strip("_")
    return f"{position:03d}_{readable}" if readable else f"{position:03d}"
