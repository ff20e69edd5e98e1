"""What a worker may use: seconds and host memory; and what a tree of processes uses."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

MEMORY_VARIABLE = "TRTDEBUG_WORKER_MEMORY"
"""Environment variable with the bytes of host memory that a worker may hold."""
GPUS_VARIABLE = "TRTDEBUG_GPUS"
"""Environment variable with the GPUs to use, "0,1" or "all": one worker each."""
WORKERS_VARIABLE = "TRTDEBUG_WORKERS"
"""Environment variable with the number of trials to run at once."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?", re.IGNORECASE)
_SHARE = 0.8


@dataclass(frozen=True)
class WorkerLimits:
    """Limits of a worker process.

    Attributes:
        seconds: wall time of one trial.
        memory: bytes of memory of its own (anonymous, not of mapped files) that it and its children may hold.
    """

    seconds: float
    memory: int


def parse_size(text: str) -> int:
    """Bytes of "8G", "512 MiB", "1.5TB" or "1000"; units are powers of 1024. Raises ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise ValueError(f"{text!r} is no size such as 8G or 512M")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def size_words(count: float) -> str:
    """Bytes in the largest unit that leaves a number of at least 1: "1.5 GiB"."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"


def default_memory() -> int:
    """Four fifths of the memory of this machine, or of its container where that has less; bytes."""
    total = os.sysconf("SC_PHYS_PAGES") * _PAGE
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = Path(file).read_text().strip() if Path(file).is_file() else "max"
        total = min(total, int(text)) if text.isdigit() else total
    return int(total * _SHARE)


def process_tree(pid: int) -> list[int]:
    """The process and all that descend from it, as far as they live."""
    found, at = [pid], 0
    while at < len(found):
        try:
            for task in Path(f"/proc/{found[at]}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:  # it has ended in between
            pass
        at += 1
    return found


def held_memory(pid: int) -> int:
    """Bytes of anonymous memory that a process tree holds; 0 where it has ended, or the system does not tell.

    The address space is no measure: CUDA reserves many times what it uses. Pages of mapped files are none
    either, since the system takes them back when it needs them.
    """
    pages = 0
    for member in process_tree(pid):
        try:
            resident, shared = Path(f"/proc/{member}/statm").read_text().split()[1:3]
        except (OSError, ValueError):  # it has ended in between
            continue
        pages += max(0, int(resident) - int(shared))
    return pages * _PAGE
