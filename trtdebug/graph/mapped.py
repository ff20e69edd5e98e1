"""Weights that stay in their files while a model runs: read by memory map, so that no process holds a copy."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


def is_mapped(tensor: onnx.TensorProto) -> bool:
    """Whether its values lie in a file that it names by absolute path."""
    return (
        bool(tensor.data_location == onnx.TensorProto.EXTERNAL)
        and Path(_entries(tensor)["location"]).is_absolute()
    )


def can_be_mapped(tensor: onnx.TensorProto) -> bool:
    """Whether it lies in an external file, and is of a type that numpy itself has: no bfloat16, no int4."""
    if tensor.data_location != onnx.TensorProto.EXTERNAL or tensor.data_type == onnx.TensorProto.STRING:
        return False
    return _dtype(tensor).isbuiltin == 1


def point_to(tensor: onnx.TensorProto, folder: Path) -> None:
    """Names the tensor's file, which lies in this absolute folder, by its absolute path; in place."""
    _locate(tensor, str(folder / _entries(tensor)["location"]))


def values_of(tensor: onnx.TensorProto) -> NDArray[np.generic]:
    """The values of a tensor, wherever they are; they can't be written to."""
    if not is_mapped(tensor):
        return numpy_helper.to_array(tensor)
    entries = _entries(tensor)
    at = int(entries.get("offset") or 0)
    return np.memmap(entries["location"], _dtype(tensor), "r", at, tuple(tensor.dims))


def byte_size(tensor: onnx.TensorProto) -> int:
    """Bytes of a tensor's values, by its type and shape."""
    return _dtype(tensor).itemsize * math.prod(int(size) for size in tensor.dims)


@contextmanager
def linked(tensors: Iterable[onnx.TensorProto], folder: Path) -> Iterator[None]:
    """Within, the mapped ones among these tensors name files in `folder`, which are the same files, or copies where
    these lie on another file system."""
    places = {tensor.name: _entries(tensor)["location"] for tensor in tensors if is_mapped(tensor)}
    mapped = [tensor for tensor in tensors if tensor.name in places]
    try:
        for tensor in mapped:
            source = Path(places[tensor.name])
            name = f"weights/{hashlib.sha256(os.fsencode(source)).hexdigest()[:16]}-{source.name}"
            link_or_copy(source, folder / name)
            _locate(tensor, name)
        yield
    finally:
        for tensor in mapped:
            _locate(tensor, places[tensor.name])


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a file a second name, if it has not got it; copies it where that is impossible."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system
        temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            shutil.copyfile(source, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _locate(tensor: onnx.TensorProto, location: str) -> None:
    for entry in tensor.external_data:
        if entry.key == "location":
            entry.value = location


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _dtype(tensor: onnx.TensorProto) -> np.dtype[np.generic]:
    return np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
