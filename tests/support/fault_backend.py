"""An extension: backends in a process that something happens to at a chosen build."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnxruntime  # noqa: F401 - here, so that its import is no part of the time that a trial may take

from trtdebug.backends.base import Backend, BuildRequest, Engine
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.core.errors import BuildFailure
from trtdebug.plugins.spec import hookimpl

METADATA = "Metadata-Version: 2.1\nName: trtdebug-faults\nVersion: 1.0\n"


def _hog() -> None:
    held = []
    while True:
        held.append(np.ones(1 << 22))  # 32 MiB
        time.sleep(0.01)


def _noise() -> None:
    print('{"status": "pass"}')
    sys.stdout.buffer.write(bytes(range(256)) * 1000)
    sys.stdout.flush()
    os.system("echo from a child")


def _raise(error: Exception) -> None:
    raise error


FAULTS: dict[str, Callable[[], object]] = {
    "sigsegv": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "sigkill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "abort": os.abort,
    "exit": lambda: os._exit(3),
    "system-exit": lambda: sys.exit(4),
    "hang": lambda: time.sleep(600),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "hog": _hog,
    "noise": _noise,
    "raise": lambda: _raise(ZeroDivisionError("in the backend")),
    "memory-error": lambda: _raise(MemoryError("nothing left")),
    "cuda": lambda: _raise(
        BuildFailure("Error Code 1: Cuda Runtime (an illegal memory access was encountered)")
    ),
    "gpu-memory": lambda: _raise(BuildFailure("Error Code 1: Cuda Runtime (out of memory)")),
}


def install(folder: Path, fault: str, build: int) -> dict[str, str]:
    """Environment in which `--candidate faulty` meets `fault` at its build number `build`, counted from 1."""
    info = folder / "trtdebug_faults-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text("[trtdebug]\nfaults = fault_backend\n")
    return {
        "PYTHONPATH": os.pathsep.join((str(folder), str(Path(__file__).parent))),
        "TRTDEBUG_LOAD_PLUGINS": "trtdebug-faults",
        "FAULT": fault,
        "FAULT_AT": str(build),
        "FAULT_COUNT": str(folder / "builds"),
    }


def _meet() -> None:
    """Counts a build, in a file since processes do not live long enough; lets the fault happen if it is the one."""
    with open(os.environ["FAULT_COUNT"], "ab") as count:
        count.write(b".")
        number = count.tell()
    if number == int(os.environ["FAULT_AT"]):
        print("meets", os.environ["FAULT"], flush=True)
        delay = float(os.environ.get("FAULT_DELAY", "0"))
        happen = FAULTS[os.environ["FAULT"]]
        if delay:
            threading.Timer(delay, happen).start()  # in the middle of the build
        else:
            happen()


class FaultyBackend(EmulatorBackend):
    """The emulator."""

    name = "faulty"

    def build(self, request: BuildRequest) -> Engine:
        _meet()
        return super().build(request)


class FaultyTensorrt(TensorrtBackend):
    """TensorRT."""

    name = "faulty-tensorrt"

    def build(self, request: BuildRequest) -> Engine:
        _meet()
        return super().build(request)


@hookimpl
def trtdebug_backends() -> Iterable[Backend]:
    return (FaultyBackend(), FaultyTensorrt())
