"""Stored tensors: one .npy a tensor, found by name, read by memory map. Never a pickle."""

from __future__ import annotations

import hashlib
import re
import uuid
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trtdebug.backends.base import Tensor
from trtdebug.core.errors import UserError
from trtdebug.session.job import TensorRef

_READABLE = 48
_SMALL = 1 << 16  # bytes
_REMEMBERED = 16 << 20  # bytes
_BLOCK = 1 << 18  # elements


class TensorStore:
    """The tensors/ folder of a session: <scope or sample>/<sample>/<tensor>.npy.

    Tensor names may hold anything ('/', unicode, 4,000 characters): a file's name is a readable piece and
    a hash. Types that .npy does not know are stored in a wider one that holds them exactly: narrow floats
    (bfloat16, float8) in float32, 4-bit integers in int8, strings in numpy's fixed-width unicode.
    """

    def __init__(self, folder: Path, remember: bool = False) -> None:
        """`remember`: keeps small tensors that were read, for one job that nobody else writes to beside."""
        self.folder = folder
        self._remembered: dict[tuple[str, TensorRef], Tensor] = {}
        self._room = _REMEMBERED if remember else 0

    def path(self, sample: str, ref: TensorRef) -> Path:
        scope = ref.scope[:16] or "samples"
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", ref.tensor)[:_READABLE].strip(".") or "tensor"
        code = hashlib.sha256(ref.tensor.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        return self.folder.joinpath(scope, sample, f"{readable}-{code}.npy")

    def put(self, sample: str, ref: TensorRef, value: Tensor) -> None:
        """Stores a tensor, whole or not at all."""
        path = self.path(sample, ref)
        self._remembered.pop((sample, ref), None)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
        with temporary.open("wb") as file:
            # strings come from onnxruntime as objects
            _write(file, value.astype(np.str_) if value.dtype.kind == "O" else value)
        temporary.replace(path)

    def get(self, sample: str, ref: TensorRef) -> Tensor:
        """A stored tensor, read-only, and memory-mapped unless it is small.

        Raises:
            UserError: its file is not there, cannot be read, or is no .npy file.
        """
        known = self._remembered.get((sample, ref))
        if known is not None:
            return known
        path = self.path(sample, ref)
        try:
            small = path.stat().st_size <= _SMALL  # a map takes a file descriptor, of which there may be 1024
            tensor: Tensor = np.load(path, allow_pickle=False, mmap_mode=None if small else "r")
        except FileNotFoundError as error:
            raise UserError(f"the session's tensor {path} is missing.", _remedy(ref)) from error
        except OSError as error:
            raise UserError(
                f"the session's tensor {path} cannot be read: {error.strerror}.", _remedy(ref)
            ) from error
        except (ValueError, EOFError) as error:
            raise UserError(
                f"the session's tensor {path} is no .npy file of numbers, or a damaged one.", _remedy(ref)
            ) from error
        tensor.flags.writeable = False
        if small and tensor.nbytes <= self._room:
            self._remembered[sample, ref] = tensor
            self._room -= tensor.nbytes
        return tensor

    def has(self, sample: str, ref: TensorRef) -> bool:
        return self.path(sample, ref).exists()


def _remedy(ref: TensorRef) -> str:
    if ref.scope:
        return "Remove the session's tensors of that trial: it is done anew where they are needed."
    return "Start a new session: without inputs and the reference's tensors this one cannot go on."


def _write(file: BinaryIO, value: Tensor) -> None:
    """As `np.save`; what is stored in a wider type is converted block by block."""
    dtype = _stored_as(value)
    if dtype == value.dtype:
        np.save(file, value, allow_pickle=False)
        return
    header = {"descr": dtype.str, "fortran_order": False, "shape": value.shape}
    write_header: Any = np.lib.format.write_array_header_1_0  # typed by some releases of numpy only
    write_header(file, header)
    flags: Any = ["external_loop", "buffered", "zerosize_ok"]
    blocks: Any = np.nditer(value, flags, op_dtypes=[dtype], casting="unsafe", order="C", buffersize=_BLOCK)
    with blocks:
        for block in blocks:
            file.write(block.data)


def _stored_as(value: Tensor) -> np.dtype[Any]:
    name = value.dtype.name
    if name.startswith(("int2", "int4", "uint2", "uint4")):
        return np.dtype(np.int8)
    if value.dtype.kind == "V" or name.startswith(("bfloat", "float8_", "float6_", "float4_")):
        return np.dtype(np.float32)
    return value.dtype
