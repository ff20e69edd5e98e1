"""How much builds on several GPUs of one host slow each other down, by TensorRT alone: a bound for multi_gpu.py.

    python bench/gpu/at_once.py [--gpus 1,2,4] [--builds 3] [--level 0]

Builders share the host's CPU cores, memory and driver. Each process here has a GPU, makes its builder, and builds the
network of multi_gpu.py once before the clock starts; no code of trtdebug builds anything.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from multi_gpu import network

from trtdebug.graph.load import save_model

BUILDER = """
import resource, sys, time
import tensorrt as trt

path, builds, level = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
started = time.perf_counter()
builder = trt.Builder(logger)
ready = time.perf_counter() - started

def used():
    now = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), now.ru_utime, now.ru_stime

def build():
    before = used()
    explicit = trt.NetworkDefinitionCreationFlag.__members__.get("EXPLICIT_BATCH")
    network = builder.create_network(1 << int(explicit) if explicit is not None else 0)
    parser = trt.OnnxParser(network, logger)
    assert parser.parse_from_file(path)
    config = builder.create_builder_config()
    config.builder_optimization_level = level
    if hasattr(trt.BuilderFlag, "FP16"):
        config.set_flag(trt.BuilderFlag.FP16)
    assert builder.build_serialized_network(network, config) is not None
    return [after - earlier for earlier, after in zip(before, used())]

build()
print(ready, flush=True)
sys.stdin.readline()
print(*(second for _ in range(builds) for second in build()), flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gpus", default="1,2,4", help="processes at once, each on a GPU of its own")
    parser.add_argument("--builds", type=int, default=3, help="of each process")
    parser.add_argument("--level", type=int, default=0, help="optimisation level; the search's is 0")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trtdebug-bench-") as name:
        path = Path(name) / "model.onnx"
        save_model(network(10, 10, 32, 32, "conv")[0], path)
        first = 0.0
        print(
            f"{'GPUs':>4} {'start s':>8} {'build s':>8} {'user s':>7} {'system s':>8}  "
            "builds a second, times those of the first row"
        )
        for count in map(int, asked.gpus.split(",")):
            start, wall, user, system = at_once(path, count, asked.builds, asked.level)
            rate = count / wall
            first = first or rate
            print(
                f"{count:>4} {start:>8.1f} {wall:>8.2f} {user:>7.2f} {system:>8.2f}  {rate / first:.2f}",
                flush=True,
            )


def at_once(path: Path, count: int, builds: int, level: int) -> tuple[float, ...]:
    """Seconds until a builder is there; of one build, in user mode and in the kernel: medians over all processes."""
    command = [sys.executable, "-c", BUILDER, str(path), str(builds), str(level)]
    processes = [
        subprocess.Popen(
            command,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": str(gpu)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for gpu in range(count)
    ]
    starts = [float(_line(process)) for process in processes]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    seconds = [float(word) for process in processes for word in _line(process).split()]
    walls, users, systems = seconds[0::3], seconds[1::3], seconds[2::3]
    for process in processes:
        process.wait()
    return tuple(map(statistics.median, (starts, walls, users, systems)))


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"a builder ended with exit code {process.wait()}")
    return line


if __name__ == "__main__":
    main()
