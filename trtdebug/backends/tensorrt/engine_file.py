"""A serialized engine from a file: is it one, who made it, and does it load here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.device import device_name
from trtdebug.backends.tensorrt.inspect import read_dump
from trtdebug.backends.tensorrt.readback import layer_infos
from trtdebug.core.errors import BuildFailure, NotHonoured, UserError
from trtdebug.core.outcome import EngineInfo

if TYPE_CHECKING:
    from trtdebug.backends.tensorrt.run import TensorrtEngine

SUFFIXES = (".engine", ".plan", ".trt")
NAMES_ONLY = "the engine tells layer names only: it was not built with ProfilingVerbosity.DETAILED"
_TAG, _OLD_TAG, _RTX_TAG = b"ftrt", b"ptrt", b"vtrt"  # since 8.6, before 8.6, and of TensorRT-RTX
_TAGS = (_TAG, _OLD_TAG, _RTX_TAG)
_HEADER = 28
_AGAIN = "Build the engine again on this machine: engines are bound to their TensorRT version and GPU."


@dataclass(frozen=True)
class EngineHeader:
    """The first bytes of an engine.

    Attributes:
        version: of the TensorRT that made it; None where they do not tell.
        missing: bytes that the file is shorter than they say; 0 where they do not tell.
    """

    version: str | None
    missing: int = 0


def is_engine_file(path: Path) -> bool:
    """Whether a file is meant to be an engine: by its name, or by its first bytes. It may still be damaged."""
    if path.suffix.lower() in SUFFIXES:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in _TAGS


def read_header(path: Path) -> EngineHeader:
    """Reads the header, without TensorRT.

    It is laid out as trtexec's --getPlanVersionOnly reads it: a tag, the layout's version (uint32), and at byte 24 the
    four numbers of the version. That the uint64 at byte 16 is the size was seen in engines of TensorRT-RTX 1.7.

    Raises:
        UserError: no such file, or not an engine of TensorRT.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER)
        size = path.stat().st_size
    except OSError as error:
        raise UserError(f"the engine {path} can't be read: {error.strerror}.", "Check the path.") from None
    if len(head) < _HEADER:
        raise UserError(f"{path} is truncated: an engine has more than {len(head)} bytes.", _AGAIN)
    if head[:4] not in _TAGS:
        raise UserError(
            f"{path} is no serialized TensorRT engine: it does not begin as one.",
            "Give a file that trtexec --saveEngine or build_serialized_network made.",
        )
    if head[:4] == _RTX_TAG:
        raise UserError(
            f"{path} is an engine of TensorRT-RTX, which is another product.", "Give one of TensorRT itself."
        )
    if head[:4] == _OLD_TAG or head[4:8] != bytes(4):
        return EngineHeader(None)
    missing = max(0, int.from_bytes(head[16:24], "little") - size)
    return EngineHeader(".".join(str(part) for part in head[24:28]), missing)


def engine_sha256(path: Path) -> str:
    """Hash of the file, 64 hex digits. Raises `UserError` as `read_header`."""
    read_header(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def load_engine(request: BuildRequest) -> TensorrtEngine:
    """Deserialises the engine file `request.model` into a TensorrtEngine. Its own outputs are all it has.

    Engines with host code in them (version-compatible ones) are refused: loading such a file runs its code.

    Raises:
        BuildFailure: this TensorRT or this GPU does not take it, it is damaged, or it was to be changed.
        UserError: as `read_header`.
    """
    import tensorrt as trt

    from trtdebug.backends.tensorrt.logger import collected, quiet_polygraphy, share_logger
    from trtdebug.backends.tensorrt.plugin_libraries import load_plugin_libraries
    from trtdebug.backends.tensorrt.run import TensorrtEngine

    if request.interventions:
        kind = type(request.interventions[0]).__name__
        raise BuildFailure(f"a serialized engine cannot be changed ({kind}).", "Give the ONNX model instead.")
    header = read_header(request.model)
    version = str(trt.__version__)
    logger = share_logger()
    with quiet_polygraphy(), collected() as log:
        load_plugin_libraries(request.options.plugins)
        trt.init_libnvinfer_plugins(logger, "")
        # Not by Polygraphy, which would let the file run code of its own.
        runtime = trt.Runtime(logger)
        engine = runtime.deserialize_cuda_engine(request.model.read_bytes())
        if engine is None:
            said = log.first_error() or "it does not say why"
            raise BuildFailure(refusal(request.model, header, version, said), _AGAIN)
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    outputs = tuple(n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.OUTPUT)
    wanted = outputs if request.outputs is None else tuple(n for n in outputs if n in request.outputs)
    return TensorrtEngine(engine, wanted, {}, _info(engine, version, request.artifacts))


def _info(engine: Any, version: str, artifacts: Path | None) -> EngineInfo:
    try:
        dump = read_dump(engine, artifacts)
    except NotHonoured as error:
        return EngineInfo("tensorrt", version, device_name(), notes=(error.message,))
    notes = () if dump.detailed else (NAMES_ONLY,)
    return EngineInfo("tensorrt", version, device_name(), layer_infos(dump), notes=notes)


def refusal(path: Path, header: EngineHeader, version: str, said: str) -> str:
    """One line: that TensorRT does not take the engine, what made it, and TensorRT's own words."""
    made = ""
    if header.version is not None:
        other = compat.parse_version(header.version) != compat.parse_version(version)
        made = f" made by TensorRT {header.version}" + (" (another version)" if other else "")
    short = f", which is {header.missing} bytes short" if header.missing else ""
    return f"TensorRT {version} does not load the engine {path.name}{made}{short}: {said}"
