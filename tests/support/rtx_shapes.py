"""Builds every case of `shape_cases`, as a job would, where `tensorrt` is TensorRT-RTX. Prints a JSON line a case.

Runs by itself. Each line has `case`, `size` (bytes of the serialized engine; 0 = none) and `failure`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from shape_cases import SHAPE_CASES, recorded

from trtdebug.core.errors import BuildFailure
from trtdebug.session.perform import build_request
from trtdebug.session.tensors import TensorStore


class _Serialized(Exception):
    """The engine is there; carries its size in bytes. To load it takes a GPU."""


def _weigh(serialised: Any) -> None:
    raise _Serialized(len(bytes(serialised)))


def built(name: str, folder: Path) -> dict[str, Any]:
    from trtdebug.backends.tensorrt.build import build_engine

    case = SHAPE_CASES[name]()
    job = case.job(recorded(case, folder))
    try:
        build_engine(build_request(job, TensorStore(folder / "tensors"), folder, {}))
    except _Serialized as done:
        return {"case": name, "size": done.args[0], "failure": ""}
    except BuildFailure as failure:
        return {"case": name, "size": 0, "failure": failure.message}
    raise AssertionError("an engine was loaded, which this script was to prevent")


if __name__ == "__main__":
    import polygraphy.backend.trt

    polygraphy.backend.trt.engine_from_bytes = _weigh
    for case in SHAPE_CASES:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(built(case, Path(folder))), flush=True)
