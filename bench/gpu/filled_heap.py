"""Memory for what TensorRT unpacks when it starts: some threads give the heap its pages before one thread needs them.

Not part of trtdebug as long as start.py has not shown on a GPU what it is worth.

A page is had when it is first written to. A builder writes to gigabytes of new ones, in one thread. Where the host of
a virtual machine takes back what is free, new memory is slow: 3 GB took one thread 9 to 11 s, two threads 6.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

_BLOCK = 16 << 20
_THREADS = 8
_SHARE = 4
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # mallopt(3)


@contextmanager
def filled_heap(size: int) -> Iterator[None]:
    """Inside, what this thread allocates comes from a heap that has its pages already; the rest is given back after.

    Does nothing but in the main thread, whose heap is one piece, and with glibc, whose heap can be told to stay.

    Args:
        size: bytes; no more than a quarter of the memory that is available is taken.
    """
    libc = _glibc()
    if libc is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    libc.mallopt(_MMAP_MAX, 0)  # large blocks come from the heap, too
    libc.mallopt(_TRIM_THRESHOLD, -1)  # what is freed stays in it
    _fill(libc, min(size, _available() // _SHARE))
    try:
        yield
    finally:  # as glibc comes to by itself where blocks of 32 MB are freed
        libc.mallopt(_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(_TRIM_THRESHOLD, 64 << 20)
        libc.mallopt(_MMAP_MAX, 1 << 16)
        libc.malloc_trim(0)


def _fill(libc: ctypes.CDLL, size: int) -> None:
    blocks = [block for _ in range(size // _BLOCK) if (block := libc.malloc(_BLOCK))]
    with ThreadPoolExecutor(min(_THREADS, len(os.sched_getaffinity(0)))) as pool:
        list(pool.map(lambda block: libc.memset(block, 1, _BLOCK), blocks))
    for block in reversed(blocks):
        libc.free(block)


def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
        libc.free.restype, libc.free.argtypes = None, (ctypes.c_void_p,)
        libc.memset.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
        return libc if libc.mallopt and libc.malloc_trim else None
    except (OSError, AttributeError):
        return None


def _available() -> int:
    """Bytes that this machine can give without swapping; 0 where it does not tell."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return 0
