"""Runs the tests that need a GPU, one lane a GPU, within a time limit; tells how each file ends as soon as it does.

    python tools/gpu_suite.py                                     # all of tests/gpu, as many lanes as there are GPUs
    python tools/gpu_suite.py --seconds 540 --logs logs test_fixes.py "test_tactics.py -k one_layer"

No two tests run on one GPU at once: builders choose by measuring time. Tests of several GPUs come last, alone. The
source tree is used as it is, not installed. Exit code 1 where a test failed, or did not end in time.
"""

from __future__ import annotations

import argparse
import os
import queue
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "gpu"
OF_SEVERAL = "test_multi_gpu.py"
_SUMMARY = re.compile(r"(\d+ (?:passed|failed|skipped|error)[^\n]*?) in [\d.]+s")


@dataclass(frozen=True)
class Suite:
    """Attributes:
    deadline: by time.monotonic().
    logs: folder for the output of each file.
    """

    deadline: float
    logs: Path

    def run(self, words: str, gpus: str) -> bool:
        """Runs one file, with pytest's options behind its name, on these GPUs."""
        left = self.deadline - time.monotonic()
        if left < 1:
            return self._tell(words, gpus, 0.0, "not started", False)
        file, *options = shlex.split(words)
        name = re.sub(r"\W+", "-", words).strip("-")
        with tempfile.TemporaryDirectory(prefix=f"gpu{gpus.replace(',', '')}-") as folder:
            command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", "-q", "-s"]
            command += [
                "--basetemp",
                f"{folder}/pytest",
                "--timeout",
                str(int(left)),
                str(TESTS / file),
                *options,
            ]
            started = time.monotonic()
            with (self.logs / f"{name}.log").open("w+", encoding="utf-8") as log:
                process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=_environment(gpus, folder),
                )
                try:
                    code: int | None = process.wait(left)
                except subprocess.TimeoutExpired:
                    process.terminate()
                    process.wait()
                    code = None
                log.seek(0)
                said = _SUMMARY.findall(log.read())
        ended = "out of time" if code is None else said[-1] if said else f"exit code {code}"
        return self._tell(words, gpus, time.monotonic() - started, ended, code == 0)

    def _tell(self, words: str, gpus: str, seconds: float, how: str, good: bool) -> bool:
        print(f"{'ok' if good else 'BAD':4} GPU {gpus:8} {seconds:6.0f} s  {words}: {how}", flush=True)
        return good


def _environment(gpus: str, folder: str) -> dict[str, str]:
    extensions = sorted(str(path.parent) for path in ROOT.glob("extensions/*/pyproject.toml"))
    path = os.pathsep.join(filter(None, [str(ROOT), *extensions, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "CUDA_VISIBLE_DEVICES": gpus, "PYTHONPATH": path, "TMPDIR": folder}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", help="of tests/gpu, each with options of pytest; default: all")
    parser.add_argument("--gpus", help="such as 0,1; default: all that CUDA sees")
    parser.add_argument("--seconds", type=float, default=3600.0, help="for all of it")
    parser.add_argument("--logs", type=Path, default=Path("gpu-logs"))
    asked = parser.parse_args()
    gpus = asked.gpus.split(",") if asked.gpus else [str(n) for n in range(_device_count())]
    if not gpus:
        parser.error("CUDA sees no GPU here")
    files = asked.files or sorted(path.name for path in TESTS.glob("test_*.py"))
    asked.logs.mkdir(parents=True, exist_ok=True)
    suite = Suite(time.monotonic() + asked.seconds, asked.logs)
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for words in files:
        if not words.startswith(OF_SEVERAL):
            waiting.put(words)
    good: list[bool] = []

    def lane(gpu: str) -> None:
        while True:
            try:
                words = waiting.get_nowait()
            except queue.Empty:
                return
            good.append(suite.run(words, gpu))

    lanes = [threading.Thread(target=lane, args=(gpu,)) for gpu in gpus]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    good += [suite.run(words, ",".join(gpus)) for words in files if words.startswith(OF_SEVERAL)]
    return 0 if all(good) else 1


def _device_count() -> int:
    sys.path.insert(0, str(ROOT))
    from trtdebug.backends.tensorrt.device import device_count

    return device_count()


if __name__ == "__main__":
    sys.exit(main())
