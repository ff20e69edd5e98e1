"""On a GPU: `trtdebug` against `polygraphy debug precision` on the same model, on the same host, in one go.

    python bench/gpu/precision.py [--bisects N] [--no-run] [MODEL] [INPUTS.npz]

Without a model the transformer of samples/attention.py is used, whose twelve culprits are known. Nothing else should
run on the machine: each of the tools unpacks 3 GB of kernels before its first build. Python's modules are compiled
first, as pip leaves them; else each process of either tool compiles all that it imports.
"""

from __future__ import annotations

import argparse
import compileall
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from polygraphy.comparator import RunResults
from polygraphy.comparator.struct import IterationResult
from polygraphy.json import save_json

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = "0.05"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("inputs", nargs="?", type=Path)
    parser.add_argument("--bisects", type=int, default=3, help="the median of so many counts")
    parser.add_argument("--no-run", action="store_true", help="leaves `trtdebug run` out")
    asked = parser.parse_args()
    for place in {ROOT / "trtdebug", *map(Path, sys.path[1:])} - {ROOT}:
        compileall.compile_dir(place, quiet=2, workers=0)
    folder = Path(tempfile.mkdtemp(prefix="trtdebug-bench-"))
    model = asked.model.resolve() if asked.model else sample(folder)
    feeds = dict(np.load(asked.inputs)) if asked.inputs else random_feeds(model)
    np.savez(folder / "inputs.npz", **feeds)
    save_json([feeds], str(folder / "inputs.json"))
    golden(model, feeds, folder / "golden.json")
    print(f"{'tool':36} {'wall s':>7} {'builds':>6}  answer")
    mine = {"bisect": statistics.median(ours("bisect", model, folder, n) for n in range(asked.bisects))}
    if not asked.no_run:
        mine["run"] = ours("run", model, folder)
    peers = {direction: polygraphy(model, folder, direction) for direction in ("forward", "reverse")}
    for direction, seconds in peers.items():
        for until, own in mine.items():
            print(
                f"polygraphy debug precision {direction} takes {seconds / own:.2f} times as long as trtdebug {until}"
            )


def sample(folder: Path) -> Path:
    path = folder / "attention.onnx"
    subprocess.run([sys.executable, ROOT / "samples" / "attention.py", path], check=True)
    return path


def random_feeds(model: Path) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        i.name: rng.random([d.dim_value or 1 for d in i.type.tensor_type.shape.dim], np.float32)
        for i in onnx.load(model).graph.input
    }


def golden(model: Path, feeds: dict[str, np.ndarray], path: Path) -> None:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    results = RunResults()
    outputs = dict(zip(names, session.run(names, feeds), strict=True))
    results.append(("onnxruntime", [IterationResult(outputs, runner_name="onnxruntime")]))
    results.save(str(path))


def ours(until: str, model: Path, folder: Path, number: int = 0) -> float:
    """Seconds. `bisect` names the nodes, as the peer tries to; `run` also fixes it, and writes a repro."""
    command = [sys.executable, "-m", "trtdebug", until, str(model), "--fp16", "--candidate", "tensorrt"]
    command += ["--inputs", str(folder / "inputs.npz"), "--session", str(folder / f"{until}-{number}")]
    command += ["--json", "--quiet"]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    report = json.loads(done.stdout)
    nodes = [n for c in report["culprits"] for n in c["nodes"]]
    stages = ", ".join(f"{s['name']} {s['trials']}" for s in report["stages"] if s["trials"])
    answer = f"{report['verdict']}, {len(nodes)} nodes: {', '.join(nodes)} (builds: {stages})"
    print(f"{'trtdebug ' + until:36} {seconds:7.1f} {report['trials']['builds']:6}  {answer}", flush=True)
    return seconds


def polygraphy(model: Path, folder: Path, direction: str) -> float:
    tool = [sys.executable, "-c", "import sys; from polygraphy.tools import main; sys.exit(main())"]
    check = [*tool, "run", "polygraphy_debug.engine", "--trt"]
    check += ["--load-inputs", str(folder / "inputs.json"), "--load-outputs", str(folder / "golden.json")]
    check += ["--check-error-stat", "max", "--atol", TOLERANCE, "--rtol", TOLERANCE]
    command = [*tool, "debug", "precision", str(model), "--fp16"]
    command += ["--precision-constraints", "obey", "--mode", "bisect", "--dir", direction, "--check", *check]
    place = folder / direction
    place.mkdir()
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place)
    seconds = time.perf_counter() - started
    log = done.stdout + done.stderr
    builds = len(re.findall(r"RUNNING \| Iteration", log)) or len(re.findall(r"Iteration \d+", log))
    answers = re.findall(r"To achieve acceptable accuracy.*|Could not find.*", log)
    answer = answers[-1] if answers else f"exit code {done.returncode}: {log.strip()[-200:]}"
    print(f"{'polygraphy debug precision ' + direction:36} {seconds:7.1f} {builds:6}  {answer}", flush=True)
    return seconds


if __name__ == "__main__":
    main()
