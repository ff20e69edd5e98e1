"""A heap with pages: what is allocated in it asks the system for none, and nothing is held afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

MB = 1 << 20
SCRIPT = """
import ctypes, resource, sys, threading
from pathlib import Path
from trtdebug.backends.tensorrt.heap import filled_heap

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
libc.free.argtypes = (ctypes.c_void_p,)
libc.memset.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
filled, block, count = (int(word) << 20 for word in sys.argv[1:4])

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def held():
    resident, shared = Path("/proc/self/statm").read_text().split()[1:3]
    return (int(resident) - int(shared)) * resource.getpagesize()

def unpack():
    before = faults()
    taken = [libc.malloc(block) for _ in range(count // block)]
    for address in taken:
        libc.memset(address, 1, block)
    found = faults() - before
    for address in taken:
        libc.free(address)
    return found

def tell():
    with filled_heap(filled):
        found = unpack()
    print(found, held(), unpack())

if "thread" in sys.argv:
    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()
else:
    tell()
"""


def used(filled: int, block: int, *words: str) -> tuple[int, int, int]:
    """Page faults of 256 MB in blocks of `block` MB inside `filled_heap`; bytes held after it; faults outside it."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(filled), str(block), "256", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    first, held, second = map(int, done.stdout.split())
    return first, held, second


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
@pytest.mark.parametrize("block", [1, 64])
def test_no_page_is_asked_for_in_a_filled_heap(block: int) -> None:
    faults, held, again = used(300, block)
    assert faults < 50
    assert held < 100 * MB
    assert again > 100  # it is an ordinary heap again


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_a_heap_that_is_not_filled_asks_for_each_page() -> None:
    assert used(0, 1)[0] > 100


def test_in_another_thread_nothing_is_done() -> None:
    """Its heap is another one, of small pieces."""
    assert used(300, 1, "thread")[0] > 100
