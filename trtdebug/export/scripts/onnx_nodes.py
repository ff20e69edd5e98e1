"""The nodes of an ONNX file, without the onnx package: where an engine is built for production there may be none."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from trtdebug.core.errors import UserError

_GRAPH, _NODE, _OUTPUT, _NAME, _OPERATOR = 7, 1, 2, 3, 4
"""Fields of ModelProto, GraphProto and NodeProto (three) in onnx.proto."""


def onnx_nodes(path: Path) -> dict[str, str]:
    """Operator by node name, of the top-level graph. One without a name is called as TensorRT's parser calls it.

    Raises:
        UserError: no such file, or no ONNX model.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            whole = memoryview(content)
            try:
                found = dict(_nodes(whole))
            finally:
                whole.release()
    except OSError as error:
        raise UserError(f"the model {path} can't be read: {error.strerror}.", "Give its path.") from None
    except (ValueError, IndexError):  # an empty file; fields that lead out of it
        found = {}
    if not found:
        raise UserError(f"{path} is no ONNX model with nodes.", "Give an .onnx file.")
    return found


def _nodes(model: memoryview) -> Iterator[tuple[str, str]]:
    for graph_start, graph_end in _fields(model, 0, len(model), _GRAPH):
        for start, end in _fields(model, graph_start, graph_end, _NODE):
            name, operator, output = (_text(model, start, end, f) for f in (_NAME, _OPERATOR, _OUTPUT))
            yield name or f"node_of_{output}", operator


def _text(data: memoryview, start: int, end: int, wanted: int) -> str:
    """The first text of this field that is not empty."""
    texts = (bytes(data[a:b]).decode() for a, b in _fields(data, start, end, wanted))
    return next(filter(None, texts), "")


def _fields(data: memoryview, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Where the values of a length-delimited field of a protobuf message lie."""
    while start < end:
        tag, start = _varint(data, start)
        kind = tag & 7
        if kind == 0:
            _, start = _varint(data, start)
        elif kind == 2:
            length, start = _varint(data, start)
            if start + length > end:
                raise ValueError("a field leads out of its message")
            if tag >> 3 == wanted:
                yield start, start + length
            start += length
        elif kind in (1, 5):
            start += 8 if kind == 1 else 4
        else:
            raise ValueError("no field of a protobuf message")


def _varint(data: memoryview, start: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, start
