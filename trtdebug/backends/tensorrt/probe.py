"""Does TensorRT work here? Asked in a child process, because TensorRT may crash where there is no GPU."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from functools import cache
from typing import Any

from trtdebug.backends.base import Availability
from trtdebug.backends.tensorrt.device import device_name

_TIMEOUT = 180  # seconds; importing TensorRT from a cold disk and making a Builder took 3 s on a warm one
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
try:
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
except Exception as error:
    say(ok=False, version=version, device=device, reason=f"TensorRT {version} makes no builder: {error}")
say(ok=True, version=version, device=device)
"""


def obstacle() -> str:
    """Why TensorRT certainly does not work here; empty when nothing is in sight. Starts the CUDA driver."""
    if importlib.util.find_spec("tensorrt") is None:
        return _MISSING
    return "" if device_name() else "no NVIDIA GPU is visible here"


@cache
def probe() -> Availability:
    """Availability of TensorRT, found out once a process. Never raises."""
    if importlib.util.find_spec("tensorrt") is None:
        return Availability(False, reason=_MISSING)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Availability(False, reason=f"TensorRT did not start within {_TIMEOUT} s")
    except OSError as error:
        return Availability(False, reason=f"no child process could be started to try TensorRT: {error}")
    return parse_answer(done.returncode, done.stdout, done.stderr)


def parse_answer(code: int, stdout: str, stderr: str) -> Availability:
    """Availability as the child says it: the last line that is such an answer."""
    for line in reversed(stdout.splitlines()):
        answer = _object(line)
        if "ok" in answer:
            return Availability(
                bool(answer["ok"]),
                version=str(answer.get("version", "")),
                device=str(answer.get("device", "")),
                reason=str(answer.get("reason", "")),
            )
    last = stderr.strip().splitlines()[-1:] or ["it said nothing"]
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return Availability(False, reason=f"trying TensorRT in a child process {how}: {last[0]}")


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:  # something else that a library printed
        return {}
    return found if isinstance(found, dict) else {}
