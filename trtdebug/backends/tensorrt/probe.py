"""Does TensorRT work here? Asked by a look (`probe`), or by a try in a child process that may crash (`try_out`)."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from typing import Any

from trtdebug.backends.base import Availability
from trtdebug.backends.tensorrt.child import Ended, NotRun, run_python
from trtdebug.backends.tensorrt.device import device_name
from trtdebug.scripts.words import one_line

_MISSING = "TensorRT is not installed (pip install 'trtdebug[tensorrt]')"

# Runs on its own. trt.Runtime is not made on purpose: 8.6 dies of it without a GPU.
_CHILD = """
import ctypes, json, sys

def say(**answer):
    print("\\n" + json.dumps(answer), flush=True)
    sys.exit(0)

try:
    cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
except OSError:
    say(ok=False, reason="there is no NVIDIA driver here (libcuda is missing)")
code = cuda.cuInit(0)
count = ctypes.c_int(0)
if code or cuda.cuDeviceGetCount(ctypes.byref(count)):
    say(ok=False, reason=f"the NVIDIA driver does not start (cuInit gives {code})")
if count.value < 1:
    say(ok=False, reason="no NVIDIA GPU is visible here")
name = ctypes.create_string_buffer(256)
cuda.cuDeviceGetName(name, 256, 0)
device = name.value.decode(errors="replace")
try:
    import tensorrt as trt
except Exception as error:
    say(ok=False, device=device, reason=f"tensorrt cannot be imported: {type(error).__name__}: {error}")
version = str(trt.__version__)
said = []

class Logger(trt.ILogger):
    def __init__(self):
        trt.ILogger.__init__(self)

    def log(self, severity, message):
        if severity.name != "VERBOSE" and severity.name != "INFO":
            said.append(" ".join(message.split()))

try:
    builder = trt.Builder(Logger())
except TypeError:  # what the bindings make of a builder that cannot be had
    why = said[0] if said else "it does not say why; most often the driver is too old or the GPU not supported"
    say(ok=False, version=version, device=device, reason=f"TensorRT {version} makes no builder: {why}")
say(ok=True, version=version, device=device)
"""


@cache
def probe() -> Availability:
    """Whether TensorRT can be imported and there is a GPU: found out once a process, without a builder. Never raises.

    A builder may still fail, in the worker that makes it; `try_out` makes sure, and takes many seconds.
    """
    if importlib.util.find_spec("tensorrt") is None:
        return Availability(False, reason=_MISSING)
    try:
        import tensorrt
    except Exception as error:  # noqa: BLE001 - whatever a broken installation raises
        return Availability(
            False, reason=f"tensorrt cannot be imported: {type(error).__name__}: {one_line(error)}"
        )
    version, device = str(tensorrt.__version__), device_name()
    if not device:
        return Availability(False, version, reason="no NVIDIA GPU is visible here")
    return Availability(True, version, device)


def try_out() -> Availability:
    """Availability of TensorRT by making a builder in a child process. Never raises."""
    if importlib.util.find_spec("tensorrt") is None:
        return Availability(False, reason=_MISSING)
    try:
        return parse_answer(run_python(_CHILD))
    except NotRun as reason:
        return Availability(False, reason=f"a child process to try TensorRT in {reason}")


def parse_answer(done: Ended) -> Availability:
    """Availability as the child says it: the last line that is such an answer."""
    for line in reversed(done.stdout.splitlines()):
        answer = _object(line)
        if "ok" in answer:
            return Availability(
                bool(answer["ok"]),
                version=str(answer.get("version", "")),
                device=str(answer.get("device", "")),
                reason=str(answer.get("reason", "")),
            )
    return Availability(False, reason=f"a child process to try TensorRT in {done.how}")


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:  # something else that a library printed
        return {}
    return found if isinstance(found, dict) else {}
