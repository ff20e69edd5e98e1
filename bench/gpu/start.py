"""On a GPU: seconds until TensorRT has its first builder, and its first build, by what is set before it starts.

    python bench/gpu/start.py [--times 2]

TensorRT 8.6 unpacks 3 GB of kernels when it makes its first builder. That is most of what a short session takes, so it
matters how its memory is had (trtdebug/session/child.py). Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

LARGE = "glibc.malloc.hugetlb=1"
HEAP = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=67108864"
"""What glibc comes to by itself where blocks of 32 MB were freed: smaller ones lie in the heap, with large pages."""
GROWN = "glibc.malloc.top_pad=16777216"
VARIANTS: dict[str, tuple[str, str]] = {
    "nothing": ("", ""),
    "large pages": (LARGE, ""),
    "large pages, heap": (f"{LARGE}:{HEAP}", ""),
    "large pages, heap grown by 16 MB": (f"{LARGE}:{HEAP}:{GROWN}", ""),
    "heap grown by 16 MB": (f"{HEAP}:{GROWN}", ""),
    "large pages, CUDA context beside": (LARGE, "context"),
    "large pages, heap grown, context beside": (f"{LARGE}:{HEAP}:{GROWN}", "context"),
}
"""GLIBC_TUNABLES, and whether a thread makes the CUDA context meanwhile."""

START = """
import sys, threading, time
started = time.perf_counter()
if "context" in sys.argv:
    def context():
        import ctypes
        cuda, device, made = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(), ctypes.c_void_p()
        assert not cuda.cuInit(0)
        assert not cuda.cuDeviceGet(ctypes.byref(device), 0)
        assert not cuda.cuDevicePrimaryCtxRetain(ctypes.byref(made), device)
    threading.Thread(target=context).start()
import tensorrt as trt
imported = time.perf_counter()
logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
builder = trt.Builder(logger)
ready = time.perf_counter()
explicit = trt.NetworkDefinitionCreationFlag.__members__.get("EXPLICIT_BATCH")
network = builder.create_network(1 << int(explicit) if explicit is not None else 0)
x = network.add_input("x", trt.float32, (64, 256))
network.mark_output(network.add_softmax(network.add_unary(x, trt.UnaryOperation.ABS).get_output(0)).get_output(0))
assert builder.build_serialized_network(network, builder.create_builder_config()) is not None
built = time.perf_counter()
print(imported - started, ready - imported, built - ready)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=2)
    asked = parser.parse_args()
    print(f"{'import s':>8} {'builder s':>9} {'build s':>8}  with")
    for number in range(asked.times):
        for name, (tunables, context) in VARIANTS.items():
            done = subprocess.run(
                [sys.executable, "-c", START, context],
                env={**os.environ, "GLIBC_TUNABLES": tunables},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            imported, builder, build = map(float, done.stdout.split())
            print(f"{imported:>8.2f} {builder:>9.2f} {build:>8.2f}  {name} ({number + 1})", flush=True)


if __name__ == "__main__":
    main()
