"""Time to print the help: `trtdebug --help` beside `polygraphy --help`.

`python bench/startup.py [ROUNDS]` (default 9). In turns; medians.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from _measure import bar, spread

BIN = Path(sys.executable).parent


def seconds(command: str) -> float:
    started = time.perf_counter()
    subprocess.run([str(BIN / command), "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main(rounds: int) -> None:
    taken: dict[str, list[float]] = {"trtdebug": [], "polygraphy": []}
    for command in taken:
        seconds(command)  # into the page cache
    for _ in range(rounds):
        for command, times in taken.items():
            times.append(seconds(command))
    for command, times in taken.items():
        print(f"    {command} --help: {spread(times, '.2f')} s")
    ratio = median(taken["trtdebug"]) / median(taken["polygraphy"])
    bar("of the time of polygraphy --help", [ratio], lambda x: x <= 1.5, "<= 1.5")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
