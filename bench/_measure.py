"""What the benchmarks share: peaks of memory, repeats in alternation, ratios with their spread. No benchmark itself."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

MIB = 1 << 20


def resident() -> int:
    """Bytes of this process in memory now."""
    return _status("VmRSS", "self")


def reset_peak() -> None:
    """Makes `peak` start from now (Linux: proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Most bytes of this process in memory since `reset_peak`."""
    return _status("VmHWM", "self")


def in_fresh_process(script: str, *arguments: str) -> dict[str, float]:
    """The JSON object that `python SCRIPT ARGUMENTS...` prints last."""
    done = subprocess.run([sys.executable, script, *arguments], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def timed(command: Sequence[str], folder: Path) -> tuple[float, int]:
    """Wall seconds of a command, and the peak of the proportional set size (PSS) of it and all its descendants.

    PSS counts a page that n processes share once, a page of a mapped file included. Polled every 50 ms.
    """
    most, done = 0, threading.Event()

    def poll(pid: int) -> None:
        nonlocal most
        while not done.wait(0.05):
            most = max(most, sum(_pss(p) for p in _tree(pid)))

    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    poller = threading.Thread(target=poll, args=(process.pid,))
    poller.start()
    _, errors = process.communicate()
    seconds = time.perf_counter() - started
    done.set()
    poller.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}\n{errors.decode()}")
    return seconds, most


def spread(values: Sequence[float], form: str = ".1f") -> str:
    """Median, and the range where there are several."""
    middle = format(median(values), form)
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}} to {max(values):{form}})"


def bar(name: str, values: Sequence[float], holds: Callable[[float], bool], target: str) -> None:
    """One line: the ratio, its spread, and whether its median reaches the target."""
    verdict = "reached" if holds(median(values)) else "MISSED"
    print(f"  {name}: {spread(values, '.2f')}, target {target}: {verdict}", flush=True)


def _status(field: str, pid: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def _pss(pid: int) -> int:
    with suppress(OSError):  # it has ended in between
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _tree(pid: int) -> list[int]:
    found = [pid]
    for member in found:
        with suppress(OSError):
            for task in Path(f"/proc/{member}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found
