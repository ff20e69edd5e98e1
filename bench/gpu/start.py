"""On a GPU: what TensorRT's first builder and first builds take, by how the process gets its memory.

    python bench/gpu/start.py [--times 2]

TensorRT 8.6 unpacks 3 GB of kernels when it makes its first builder. That is most of what a short session takes, so it
matters how its memory is had (trtdebug/session/child.py). Nothing else should run on the machine. Variants take turns,
some seconds apart: what a process frees is new memory again only a while later.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = {"nothing": "", "large pages": "glibc.malloc.hugetlb=1"}
"""GLIBC_TUNABLES."""
APART = 5.0  # seconds

START = """
import resource, sys, time
from pathlib import Path

def used():
    now = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), now.ru_utime, now.ru_stime, now.ru_minflt

def tell(what, before):
    wall, user, system, faults = (b - a for a, b in zip(before, used()))
    print(f"  {what:28} {wall:6.2f} {user:7.2f} {system:7.2f} {faults:8}", flush=True)

before = used()
import tensorrt as trt
logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
tell("tensorrt imported", before)
before = used()
builder = trt.Builder(logger)
tell("builder", before)
held = {}
for line in Path("/proc/self/smaps").read_text().splitlines():
    words = line.split()
    if not words[0].endswith(":"):
        kind = "heap" if words[-1] == "[heap]" else "mapped" if len(words) == 5 else "files"
    elif words[0] == "Anonymous:":
        held[kind] = held.get(kind, 0) + int(words[1]) // 1024
print("  MB of its own, by kind of mapping:", held)
explicit = trt.NetworkDefinitionCreationFlag.__members__.get("EXPLICIT_BATCH")
for number in range(3):
    before = used()
    network = builder.create_network(1 << int(explicit) if explicit is not None else 0)
    parser = trt.OnnxParser(network, logger)
    assert parser.parse_from_file(sys.argv[1])
    config = builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.FP16)
    config.builder_optimization_level = 0
    assert builder.build_serialized_network(network, config) is not None
    tell(f"build {number + 1}", before)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "attention.onnx"
        subprocess.run([sys.executable, ROOT / "samples" / "attention.py", model], check=True)
        for number in range(asked.times):
            for name, tunables in VARIANTS.items():
                time.sleep(APART)
                print(
                    f"{name + f' ({number + 1})':52}\n{'wall s  user s  system s  page faults':>66}",
                    flush=True,
                )
                subprocess.run(
                    [sys.executable, "-c", START, model],
                    env={**os.environ, "GLIBC_TUNABLES": tunables},
                    check=True,
                )


if __name__ == "__main__":
    main()
