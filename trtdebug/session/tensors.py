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

    Tensor names may hold anything ('/', unicode, 4,000 characters): a file's name is a readable piece of it and
    a hash. Narrow floats that .npy does not know (bfloat16, float8) are stored as float32, which holds them exactly.
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
    if value.dtype.kind == "V" or value.dtype.name.startswith(
        ("bfloat", "float8", "float4", "int4", "uint4")
    ):
        return value.astype(np.float32)
    return value
