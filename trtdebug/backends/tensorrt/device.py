"""The GPU that CUDA calls device 0, asked of the driver."""

from __future__ import annotations

import ctypes
import sys


def device_name() -> str:
    """Its name as the driver gives it ("NVIDIA H200"); empty where there is no driver or no GPU."""
    try:
        cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return ""
    name = ctypes.create_string_buffer(256)
    if cuda.cuInit(0) or cuda.cuDeviceGetName(name, len(name), 0):
        return ""
    return name.value.decode(errors="replace")
