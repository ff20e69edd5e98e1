"""Loads and saves ONNX models, weights in external files included."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from trtdebug.core.errors import UserError
from trtdebug.graph.damaged import refuse_damaged
from trtdebug.graph.mapped import byte_size, can_be_mapped, is_mapped, linked, point_to
from trtdebug.graph.names import name_nodes
from trtdebug.graph.walk import all_tensors

EXTERNAL_ABOVE = int(1.9 * 2**30)
"""Bytes of weights from which a saved model gets a file of its own for them: protobuf ends at 2 GiB."""

MAPPED_ABOVE = 256 << 20
"""Bytes of weights in external files from which they are left there, see `load_mapped`."""

_SMALL_TENSOR = 1024  # bytes; smaller ones stay inside the model file

_EXPORT_AGAIN = "Export or copy the model again."


def load_model(path: Path) -> onnx.ModelProto:
    """Loads a model with all its weights; every node gets a name (see `name_nodes`).

    Raises:
        UserError: no such file, a folder, not ONNX, truncated, of an element type that nobody knows, a node
            without operator, or weights in an external file that is missing or too short.
    """
    model = _parse_sound(path)
    for tensor in all_tensors(model):
        _load_external(tensor, path.parent)
    name_nodes(model)
    return model


def load_skeleton(path: Path) -> onnx.ModelProto:
    """The model with its large weights left where they are; every node gets a name.

    Tensors of the model file itself are all there; of those in other files the ones of up to 1 KiB are loaded
    (shapes, axes: what shape inference reads), the others keep the reference to their file.

    Raises:
        UserError: as `load_model`.
    """
    model = _parse_sound(path)
    for tensor in all_tensors(model):
        if byte_size(tensor) <= _SMALL_TENSOR:
            _load_external(tensor, path.parent)
    name_nodes(model)
    return model


def load_mapped(path: Path) -> onnx.ModelProto:
    """As `load_model`, but of more than `MAPPED_ABOVE` bytes of weights in external files the large initialisers stay
    there, named by absolute path: `trtdebug.graph.mapped` reads them.

    Raises:
        UserError: as `load_model`.
    """
    model = _parse_sound(path)
    fed = {value.name for value in model.graph.input}
    left = [t for t in model.graph.initializer if t.name not in fed and can_be_mapped(t)]
    left = [t for t in left if byte_size(t) > _SMALL_TENSOR]
    if sum(map(byte_size, left)) <= MAPPED_ABOVE:
        left = []
    for tensor in left:
        point_to(tensor, path.parent.resolve())
    names = {tensor.name for tensor in left}
    for tensor in all_tensors(model):
        if not (tensor.name in names and is_mapped(tensor)):
            _load_external(tensor, path.parent)
    name_nodes(model)
    return model


def read_mapped(model: onnx.ModelProto) -> None:
    """Loads what `load_mapped` left in its files, in place."""
    for tensor in model.graph.initializer:
        if is_mapped(tensor):
            _load_external(tensor, Path())


def external_files(model: onnx.ModelProto) -> tuple[str, ...]:
    """Files, relative to the model's folder, that the model keeps weights in, sorted."""
    return tuple(sorted({location for _, location, _ in _external(model)}))


def save_model(model: onnx.ModelProto, path: Path) -> None:
    """Writes the model at once or not at all; its ir_version and opsets stay as they are.

    Weights of more than `EXTERNAL_ABOVE` bytes in all go to `<file name>.data` beside it; the model in memory
    keeps them. Mapped ones (see `load_mapped`) are not written once more: their files get a second name in `weights/`
    beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The exact size is only known by serialising, which fails just when it is too big.
    weights = sum(len(tensor.raw_data) for tensor in all_tensors(model))
    with linked(model.graph.initializer, path.parent):
        if weights > EXTERNAL_ABOVE:
            _save_external(model, path)
        else:
            _write(path, [model.SerializeToString()])


def content_sha256(path: Path) -> str:
    """Hash of the model file and of the external files that it names; 64 hex digits.

    A model without external files has the hash of its file.

    Raises:
        UserError: as `load_model`.
    """
    _refuse_no_file(path)
    digest = hashlib.sha256()
    _hash_file(digest, path)
    model = parse_model(path)
    _check_external(model, path)
    for location in sorted({location for _, location, _ in _external(model)}):
        digest.update(location.encode())
        _hash_file(digest, path.parent / location)
    return digest.hexdigest()


def _refuse_no_file(path: Path) -> None:
    """Raises `UserError` for a folder, and for a pipe or a device: these give what they hold once, or never end."""
    if path.is_dir():
        raise UserError(f"{path} is a folder, not an ONNX model.", "Give the .onnx file.")
    if path.exists() and not path.is_file():
        raise UserError(
            f"{path} is a pipe or a device, not an ONNX model.",
            "A model is read more than once: write it to a file, and give that.",
        )


def parse_model(path: Path) -> onnx.ModelProto:
    """The model as it stands in the file, external weights not loaded."""
    _refuse_no_file(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.", "Give the path of an ONNX model.") from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "Check the file's permissions.") from None
    if not data:
        raise UserError(f"{path} is empty, not an ONNX model.", _EXPORT_AGAIN)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise UserError(*_not_parsed(path, data)) from None
    # Protobuf takes some garbage for unknown fields, and a file cut between two fields for a whole one.
    if not model.ir_version:
        raise UserError(f"{path} is not an ONNX model: it has no IR version.", "Give an .onnx file.")
    if not model.graph.node and not model.graph.output:
        raise UserError(
            f"{path} is truncated or empty: its graph has no nodes and no outputs.", _EXPORT_AGAIN
        )
    if not model.opset_import:
        raise UserError(f"{path} is truncated: it names no operator set.", _EXPORT_AGAIN)
    return model


def _parse_sound(path: Path) -> onnx.ModelProto:
    """As `parse_model`; raises `UserError`, too, for what no model holds and for weights that are not there."""
    model = parse_model(path)
    refuse_damaged(model, path)
    _check_external(model, path)
    return model


def _not_parsed(path: Path, data: bytes) -> tuple[str, str]:
    # ModelProto's first field is ir_version, a varint (tag 0x08) below 128 followed by another field.
    if len(data) > 2 and data[0] == 0x08 and data[1] < 0x80 and data[2] & 0x07 in (0, 2):
        return (
            f"{path} is truncated or damaged: it starts as an ONNX model but does not end as one.",
            _EXPORT_AGAIN,
        )
    return f"{path} is not an ONNX model.", "Give an .onnx file."


def _external(model: onnx.ModelProto) -> Iterator[tuple[str, str, int]]:
    """(tensor, file relative to the model, bytes of the file needed) of each tensor that lies outside."""
    for tensor in all_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            offset, length = int(entries.get("offset") or 0), int(entries.get("length") or 0)
            yield tensor.name, entries.get("location", ""), offset + length


def _load_external(tensor: onnx.TensorProto, folder: Path) -> None:
    """Loads what lies outside, so that the tensor is as if it never had.

    onnx's own loader refuses files with more than one name, as pieces of a model share them.
    """
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        with (folder / entries["location"]).open("rb") as file:
            file.seek(int(entries.get("offset") or 0))
            tensor.raw_data = file.read(int(entries.get("length") or -1))
    tensor.ClearField("data_location")
    tensor.ClearField("external_data")


def _check_external(model: onnx.ModelProto, path: Path) -> None:
    needed: dict[str, tuple[int, str]] = {}
    for tensor, location, end in _external(model):
        needed[location] = max(needed.get(location, (0, "")), (end, tensor))
    for location, (end, tensor) in needed.items():
        file = path.parent / location
        if not location or not file.is_file():
            raise UserError(
                f"{path} keeps weights in {file}, which does not exist (tensor {tensor!r}).",
                "Copy that file beside the model.",
            )
        if not file.resolve().is_relative_to(path.parent.resolve()):
            raise UserError(
                f"{path} keeps weights in {file}, outside the model's folder.",
                "Copy that file beside the model.",
            )
        size = file.stat().st_size
        if size < end:
            raise UserError(
                f"{file} has {size} bytes, but tensor {tensor!r} of {path} needs {end}.",
                "The file is truncated: copy it again.",
            )


def _save_external(model: onnx.ModelProto, path: Path) -> None:
    """Writes big tensors to `<file name>.data` first, the model last: a model never lacks its data."""
    location = f"{path.name}.data"
    big = [tensor for tensor in all_tensors(model) if len(tensor.raw_data) >= _SMALL_TENSOR]
    contents = [tensor.raw_data for tensor in big]
    _write(path.with_name(location), contents)
    offset = 0
    try:
        for tensor, data in zip(big, contents, strict=True):
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", location), ("offset", str(offset)), ("length", str(len(data)))):
                tensor.external_data.add(key=key, value=value)
            offset += len(data)
        _write(path, [model.SerializeToString()])
    finally:
        for tensor, data in zip(big, contents, strict=True):
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            tensor.raw_data = data


def _write(path: Path, chunks: list[bytes]) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _hash_file(digest: hashlib._Hash, path: Path) -> None:
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError:
        parse_model(path)  # says what is wrong with the file
        raise
