"""Outputs as trtexec (--exportOutput) and Polygraphy (--save-outputs) write them."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from trtdebug.repro.scripts.result import Tensor, Untestable

_NUMBER = re.compile(r"(?<=[\[\s,])(-?)(nan|inf)(?=[\s,\]])")
_IN_JSON = {"nan": "NaN", "inf": "Infinity"}


def read_outputs(path: Path) -> dict[str, Tensor]:
    """Outputs by name; trtexec's in float64 or int64. Raises `Untestable` where it is no such file."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        # C++ writes "nan" and "-nan" where JSON has no word for it
        plain = _NUMBER.sub(lambda m: ("" if m[2] == "nan" else m[1]) + _IN_JSON[m[2]], text)
        data = json.loads(plain, strict=False)
        if isinstance(data, dict):
            return _of_polygraphy(data)
        return {entry["name"]: _of_trtexec(entry) for entry in data}
    except OSError as error:
        raise Untestable(f"{path.name} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, IndexError):
        raise Untestable(f"{path.name} holds no outputs of trtexec or Polygraphy") from None


def _of_polygraphy(data: dict[str, Any]) -> dict[str, Tensor]:
    """Of the first iteration of the first runner."""
    outputs = data["lst"][0][1][0]["outputs"]
    arrays = {name: base64.b64decode(entry["values"]["array"]) for name, entry in outputs.items()}
    return {name: np.load(io.BytesIO(content), allow_pickle=False) for name, content in arrays.items()}


def _of_trtexec(entry: dict[str, Any]) -> Tensor:
    dimensions = str(entry["dimensions"])
    shape = tuple(int(size) for size in dimensions.split("x")) if dimensions else ()
    return np.array(entry["values"]).reshape(shape)
