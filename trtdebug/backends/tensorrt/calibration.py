"""INT8 by a calibration cache (up to TensorRT 10): scales from a file, never from data.

The cache is text: a first line such as "TRT-8600-EntropyCalibration2", then "tensor: scale", the scale being the
hex of a big-endian float32. It says how it was made, and only a calibrator of that kind may read it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from trtdebug.core.errors import BuildFailure
from trtdebug.graph.walk import model_nodes

_HEADER = re.compile(rb"TRT-(\d+)-(\w+)")
_CALIBRATORS = {
    "EntropyCalibration2": "IInt8EntropyCalibrator2",
    "EntropyCalibration": "IInt8EntropyCalibrator",
    "MinMaxCalibration": "IInt8MinMaxCalibrator",
}
"""Kind of a cache -> class of `tensorrt` that may read it."""


@dataclass(frozen=True)
class CalibrationCache:
    """A calibration cache as it lies on the disk.

    Attributes:
        kind: how it was made, a key of `_CALIBRATORS`.
        version: digits of the TensorRT that made it ("8600").
    """

    path: Path
    content: bytes
    kind: str
    version: str


def read_calibration_cache(path: Path) -> CalibrationCache:
    """Reads a calibration cache.

    Raises:
        BuildFailure: the file cannot be read, is none, or is of a kind that holds no scales.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BuildFailure(f"the calibration cache {path} cannot be read: {error.strerror}.") from error
    header = _HEADER.match(content)
    kind = header[2].decode() if header else ""
    if header is None or kind not in _CALIBRATORS:
        first = content.splitlines()[0][:60].decode(errors="replace") if content else ""
        raise BuildFailure(
            f"{path} is no calibration cache: it begins with {first!r}.",
            f"Its first line has to be TRT-<version>-<kind>, the kind being {', '.join(_CALIBRATORS)}.",
        )
    return CalibrationCache(path, content, kind, header[1].decode())


def calibrator(cache: CalibrationCache) -> Any:
    """A trt.IInt8Calibrator that gives this cache and no data, and writes nothing.

    Its `asked_for_data` tells that TensorRT did not take the cache.
    """
    import tensorrt as trt

    base: Any = getattr(trt, _CALIBRATORS[cache.kind])

    class CacheOnly(base):  # type: ignore[misc]
        def __init__(self) -> None:
            base.__init__(self)  # without it TensorRT crashes
            self.asked_for_data = False

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: list[str], *_: Any) -> None:
            self.asked_for_data = True

        def read_calibration_cache(self) -> bytes:
            return cache.content

        def write_calibration_cache(self, content: Any) -> None:
            """The user's file stays as it is."""

    return CacheOnly()


def is_quantised(model: onnx.ModelProto) -> bool:
    """Whether the model says its INT8 itself: half a Q/DQ pair is anywhere in it, in bodies and functions, too."""
    return any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model_nodes(model))
