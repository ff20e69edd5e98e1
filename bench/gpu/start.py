"""On a GPU: seconds until TensorRT has its first builder, and its first build, by how it gets its memory.

    python bench/gpu/start.py [--times 2]

TensorRT 8.6 unpacks 3 GB of kernels when it makes its first builder. That is most of what a short session takes, so it
matters how its memory is had (trtdebug/session/child.py, trtdebug/backends/tensorrt/heap.py). Nothing else should run
on the machine. Variants take turns, some seconds apart: what a process frees is new memory again only a while later.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LARGE = "glibc.malloc.hugetlb=1"
VARIANTS: dict[str, tuple[str, int]] = {
    "nothing": ("", 0),
    "large pages": (LARGE, 0),
    "filled heap": ("", 3 << 30),
    "large pages, filled heap": (LARGE, 3 << 30),
    "large pages, filled heap of 5 GB": (LARGE, 5 << 30),
}
"""GLIBC_TUNABLES, and bytes of heap that threads fill ahead."""
APART = 5.0  # seconds

START = """
import resource, sys, time
from contextlib import nullcontext
from pathlib import Path
from trtdebug.backends.tensorrt.heap import filled_heap

def used():
    now = resource.getrusage(resource.RUSAGE_SELF)
    return now.ru_utime, now.ru_stime, now.ru_minflt

size = int(sys.argv[1])
started = time.perf_counter()
with filled_heap(size) if size else nullcontext():
    filled = time.perf_counter()
    import tensorrt as trt
    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    before = used()
    builder = trt.Builder(logger)
    after = used()
ready = time.perf_counter()
maps, at = {}, ""
for line in Path("/proc/self/smaps").read_text().splitlines():
    words = line.split()
    if not words[0].endswith(":"):
        at = "heap" if words[-1] == "[heap]" else "mapped" if len(words) == 5 else "files"
    elif words[0] == "Anonymous:":
        maps[at] = maps.get(at, 0) + int(words[1]) // 1024
explicit = trt.NetworkDefinitionCreationFlag.__members__.get("EXPLICIT_BATCH")
network = builder.create_network(1 << int(explicit) if explicit is not None else 0)
x = network.add_input("x", trt.float32, (64, 256))
network.mark_output(network.add_softmax(network.add_unary(x, trt.UnaryOperation.ABS).get_output(0)).get_output(0))
building = time.perf_counter()
assert builder.build_serialized_network(network, builder.create_builder_config()) is not None
built = time.perf_counter()
user, system, faults = (b - a for a, b in zip(before, after))
print(f"{filled - started:6.2f} {ready - filled:9.2f} {user:6.2f} {system:8.2f} {faults:7} {built - building:7.2f}")
print("  MB:", maps, end=" ")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=2)
    asked = parser.parse_args()
    print("fill s builder s user s system s  faults build s; with")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    for number in range(asked.times):
        for name, (tunables, size) in VARIANTS.items():
            time.sleep(APART)
            done = subprocess.run(
                [sys.executable, "-c", START, str(size)],
                env={**os.environ, "GLIBC_TUNABLES": tunables, "PYTHONPATH": path},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            print(done.stdout.strip(), f"{name} ({number + 1})", flush=True)


if __name__ == "__main__":
    main()
