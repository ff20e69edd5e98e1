"""The GPUs that CUDA sees, asked of the driver."""

from __future__ import annotations

import ctypes
import sys


def device_name() -> str:
    """Name of device 0 as the driver gives it ("NVIDIA H200"); empty where there is no driver or no GPU."""
    cuda = _driver()
    name = ctypes.create_string_buffer(256)
    if cuda is None or cuda.cuDeviceGetName(name, len(name), 0):
        return ""
    return name.value.decode(errors="replace")


def device_count() -> int:
    """How many GPUs there are, or CUDA_VISIBLE_DEVICES leaves; 0 where there is no driver."""
    cuda, count = _driver(), ctypes.c_int(0)
    return 0 if cuda is None or cuda.cuDeviceGetCount(ctypes.byref(count)) else count.value


def _driver() -> ctypes.CDLL | None:
    try:
        cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    return None if cuda.cuInit(0) else cuda
