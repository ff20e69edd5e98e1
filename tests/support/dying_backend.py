"""An extension: a backend that dies, or hangs, while it builds a model with a certain operator."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import onnxruntime  # noqa: F401 - here, so that its import is no part of the time that a trial may take

from trtdebug.backends.base import Backend, BuildRequest, Engine
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.graph.load import load_model
from trtdebug.plugins.spec import hookimpl

FATAL = {
    "Det": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "Erf": lambda: time.sleep(600),
    "Cosh": lambda: os._exit(3),
}


def install(folder: Path) -> dict[str, str]:
    """Environment in which `--candidate dying` is there."""
    info = folder / "trtdebug_dying-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-dying\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trtdebug]\ndying = dying_backend\n")
    return {
        "PYTHONPATH": os.pathsep.join((str(folder), str(Path(__file__).parent))),
        "TRTDEBUG_LOAD_PLUGINS": "trtdebug-dying",
    }


class DyingBackend(OnnxruntimeBackend):
    """onnxruntime, until it meets one of `FATAL`."""

    name = "dying"
    stands_in = False

    def build(self, request: BuildRequest) -> Engine:
        for node in load_model(request.model).graph.node:
            FATAL.get(node.op_type, lambda: None)()
        return super().build(request)


@hookimpl
def trtdebug_backends() -> Iterable[Backend]:
    return (DyingBackend(),)
