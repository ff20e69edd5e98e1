"""The comparator beside Polygraphy's: time and memory, each in a fresh process, in one go.

`python bench/compare.py [ROUNDS]` (default 2). Ours and the peer's take turns. Memory is the peak of the process's
resident set (VmHWM) beyond what it held with the data made.

* 200 outputs of 4 MiB float32, two runs: equal, off by 1e-6 (passes), off by 1e-2 (fails). Ours gives max and mean
  of the absolute and the relative error, the verdict under Polygraphy's default tolerance, NaN and Inf, cosine.
* one pair of 1 GiB, beside a bare numpy pass.
* all of those tensors written and read again.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from _measure import MIB, bar, in_fresh_process, peak, reset_peak, resident

OUTPUTS, ELEMENTS = 200, MIB
NOISE = {"equal": 0.0, "passing": 1e-6, "failing": 1e-2}
Runs = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]


def make(noise: float) -> Runs:
    rng = np.random.default_rng(0)
    first, second = {}, {}
    for i in range(OUTPUTS):
        first[f"out{i}"] = rng.standard_normal(ELEMENTS, np.float32)
        second[f"out{i}"] = first[f"out{i}"] + np.float32(noise)
    return first, second


def report(seconds: float, before: int, **more: float) -> None:
    print(json.dumps({"seconds": seconds, "beyond": peak() - before, **more}))


def run_ours(noise: str) -> None:
    from trtdebug.oracle.compare import compare
    from trtdebug.oracle.tolerance import Limits

    first, second = make(NOISE[noise])
    limits = Limits(rms=0.0, atol=1e-5, rtol=1e-5)
    before = resident()
    reset_peak()
    started = time.perf_counter()
    errors = [compare(name, second[name], first[name], limits) for name in first]
    seconds = time.perf_counter() - started
    assert all({"mean_abs", "mean_rel", "max_element_rel", "cosine"} <= e.extra.keys() for e in errors)
    assert all((e.status == "fail") == (noise == "failing") for e in errors)
    report(seconds, before)


def run_polygraphy(noise: str) -> None:
    from polygraphy.comparator import Comparator, CompareFunc

    results = polygraphy_results(make(NOISE[noise]))
    before = resident()
    reset_peak()
    started = time.perf_counter()
    result = Comparator.compare_accuracy(results, compare_func=CompareFunc.simple())
    seconds = time.perf_counter() - started
    assert bool(result) == (noise != "failing")
    report(seconds, before)


def polygraphy_results(runs: Runs):  # type: ignore[no-untyped-def]
    from polygraphy.comparator import IterationResult, RunResults
    from polygraphy.logger import G_LOGGER

    G_LOGGER.module_severity = G_LOGGER.CRITICAL
    names = ("first", "second")
    return RunResults(
        [(n, [IterationResult(run, runner_name=n)]) for n, run in zip(names, runs, strict=True)]
    )


def run_large(_: str) -> None:
    from trtdebug.oracle.compare import compare
    from trtdebug.oracle.tolerance import Limits

    reference = np.random.default_rng(0).standard_normal(256 * MIB, np.float32)
    candidate = reference + np.float32(1e-6)
    taken: dict[str, list[float]] = {"bare": [], "seconds": [], "plain": []}
    beyond = 0

    @contextmanager
    def clock(name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        taken[name].append(time.perf_counter() - started)

    for _round in range(5):
        with clock("bare"):
            largest = np.abs(candidate - reference).max()
        before = resident()
        reset_peak()
        with clock("seconds"):
            error = compare("y", reference, candidate, Limits(rms=1e-5))
        beyond = max(beyond, peak() - before)
        np.testing.assert_allclose(error.max_abs, largest, rtol=1e-6)
        with clock("plain"):
            np.abs(candidate - reference).max()
            np.allclose(candidate, reference)
            np.isfinite(reference).all(), np.isfinite(candidate).all()
    print(json.dumps({name: median(times) for name, times in taken.items()} | {"beyond": beyond}))


def run_store(_: str) -> None:
    from trtdebug.session.job import TensorRef
    from trtdebug.session.tensors import TensorStore

    runs = make(NOISE["passing"])
    before = resident()
    reset_peak()
    with tempfile.TemporaryDirectory() as folder:
        store = TensorStore(Path(folder))
        started = time.perf_counter()
        for number, run in enumerate(runs):
            for name, tensor in run.items():
                store.put(str(number), TensorRef(name), tensor)
        saved = time.perf_counter()
        for number, run in enumerate(runs):
            for name, tensor in run.items():
                copy = np.array(store.get(str(number), TensorRef(name)))  # into memory, as the peer
                assert copy[-1] == tensor[-1]
        loaded = time.perf_counter()
    report(loaded - started, before, save=saved - started, load=loaded - saved)


def run_polygraphy_store(_: str) -> None:
    from polygraphy.comparator import RunResults

    results = polygraphy_results(make(NOISE["passing"]))
    before = resident()
    reset_peak()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        results.save(f"{folder}/results.json")
        saved = time.perf_counter()
        RunResults.load(f"{folder}/results.json")
        loaded = time.perf_counter()
    report(loaded - started, before, save=saved - started, load=loaded - saved)


PARTS = {f.__name__: f for f in (run_ours, run_polygraphy, run_large, run_store, run_polygraphy_store)}


def part(function: str, noise: str = "passing") -> dict[str, float]:
    found = in_fresh_process(__file__, function, noise)
    print(
        f"    {function} {noise}: {found['seconds']:.2f} s, {found['beyond'] / MIB:.0f} MiB beyond the data"
    )
    return found


def main(rounds: int) -> None:
    for noise in NOISE:
        print(f"200 outputs of 4 MiB, {noise}")
        ratios, beyond = [], []
        for _ in range(rounds):
            ours, theirs = part("run_ours", noise), part("run_polygraphy", noise)
            ratios.append(theirs["seconds"] / ours["seconds"])
            beyond.append(ours["beyond"] / MIB)
        bar("times faster than Polygraphy's compare_accuracy", ratios, lambda x: x >= 50, ">= 50")
        bar("MiB beyond the data", beyond, lambda x: x <= 64, "<= 64")
    print("one pair of 1 GiB")
    found = [part("run_large") for _ in range(rounds)]
    of_bare = [f["seconds"] / f["bare"] for f in found]
    of_plain = [f["seconds"] / f["plain"] for f in found]
    bar("of the time of np.abs(c - r).max()", of_bare, lambda x: x <= 1.5, "<= 1.5")
    bar("of the time of that, np.allclose and np.isfinite", of_plain, lambda x: x <= 1.5, "<= 1.5")
    bar("MiB beyond the data", [f["beyond"] / MIB for f in found], lambda x: x <= 64, "<= 64")
    print("200 outputs of 4 MiB, two runs, written and read")
    pairs = [(part("run_store"), part("run_polygraphy_store")) for _ in range(rounds)]
    for step in ("save", "load", "seconds"):
        name = "both together" if step == "seconds" else step
        ratios = [theirs[step] / ours[step] for ours, theirs in pairs]
        bar(f"times faster than RunResults, {name}", ratios, lambda x: x >= 20, ">= 20")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        PARTS[sys.argv[1]](sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
