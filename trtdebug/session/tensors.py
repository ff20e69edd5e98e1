"""Stored tensors: one .npy a tensor, found by name, read by memory map. Never a pickle."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import numpy as np

from trtdebug.backends.base import Tensor
from trtdebug.session.job import TensorRef

_READABLE = 48


class TensorStore:
    """The tensors/ folder of a session: <scope or sample>/<sample>/<tensor>.npy.

    Tensor names may hold anything ('/', unicode, 4,000 characters): a file's name is a readable piece and
    a hash. Types that .npy does not know are stored in a wider one that holds them exactly: narrow floats
    (bfloat16, float8) in float32, 4-bit integers in int8, strings in numpy's fixed-width unicode.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sample: str, ref: TensorRef) -> Path:
        scope = ref.scope[:16] or "samples"
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", ref.tensor)[:_READABLE].strip(".") or "tensor"
        code = hashlib.sha256(ref.tensor.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        return self.folder / scope / sample / f"{readable}-{code}.npy"

    def put(self, sample: str, ref: TensorRef, value: Tensor) -> None:
        """Stores a tensor, whole or not at all."""
        path = self.path(sample, ref)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.save(file, _storable(value), allow_pickle=False)
        temporary.replace(path)

    def get(self, sample: str, ref: TensorRef) -> Tensor:
        """A stored tensor, memory-mapped and read-only. Raises FileNotFoundError."""
        path = self.path(sample, ref)
        tensor: Tensor = np.load(path, allow_pickle=False, mmap_mode="r")
        return tensor

    def has(self, sample: str, ref: TensorRef) -> bool:
        return self.path(sample, ref).exists()


def _storable(value: Tensor) -> Tensor:
    name = value.dtype.name
    if name.startswith(("int2", "int4", "uint2", "uint4")):
        return value.astype(np.int8)
    if value.dtype.kind == "V" or name.startswith(("bfloat", "float8_", "float6_", "float4_")):
        return value.astype(np.float32)
    if value.dtype.kind == "O":  # strings, as onnxruntime gives them
        return value.astype(np.str_)
    return value
