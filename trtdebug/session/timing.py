"""Latencies: engines that trials kept, timed in one process, in turns, so that clocks and neighbours are alike."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from trtdebug.backends.base import Backend, BuildRequest, Engine, Feeds, TimesInference
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.core.outcome import Outcome
from trtdebug.session.files import work_folder
from trtdebug.session.job import Job
from trtdebug.session.tensors import TensorStore

ENGINE_FILE = "engine.plan"
"""A kept engine, in its trial's folder."""

_WARM_UP = 10
"""Rounds that are not counted: clocks rise, kernels are loaded lazily."""
_FEWEST = 20
"""Rounds that a median takes, however long they last."""
_LONG_ENOUGH = 20.0
"""Seconds after which no more rounds than these are made."""


def engine_file(folder: Path, trial: str) -> Path:
    """Where a trial's engine is kept, in a session's folder."""
    return folder / "trials" / trial / ENGINE_FILE


def time_in_turns(job: Job, backend: Backend, folder: Path) -> Outcome:
    """Loads the engines of `job.timed` and times each once in every round, on the first sample.

    There are `job.time_runs` rounds, fewer where they take long. The order is another one in each of them: who comes
    first after a pause, or after a large engine, takes longer.

    Returns:
        pass, with `latencies_ms` in the order of `job.timed`: None for an engine that was not kept, does not
        load, or does not run; the reason says why.
    """
    started = time.perf_counter()
    store = TensorStore(folder / "tensors")
    feeds = {name: store.get(job.samples[0], ref) for name, ref in job.feeds.items()}
    engines: list[Engine] = []
    watches: dict[str, Callable[[], float]] = {}
    times: dict[str, list[float]] = {trial: [] for trial in job.timed}
    problems: dict[str, str] = {}
    try:
        for trial in times:
            try:
                engines.append(backend.build(_request(job, folder, trial)))
                watches[trial] = _stopwatch(engines[-1], feeds)
            except (BuildFailure, UserError) as error:
                problems[trial] = error.message
        for number in range(_WARM_UP + job.time_runs):
            if number >= _WARM_UP + _FEWEST and time.perf_counter() - started > _LONG_ENOUGH:
                break
            running = [t for t in watches if t not in problems]
            for trial in random.Random(number).sample(running, len(running)):
                try:
                    milliseconds = watches[trial]()
                except BuildFailure as error:
                    problems[trial] = error.message
                    continue
                if number >= _WARM_UP:
                    times[trial].append(milliseconds)
    finally:
        for engine in engines:
            engine.close()
    latencies = tuple(None if t in problems else statistics.median(times[t]) for t in job.timed)
    return Outcome(
        "pass",
        reason="; ".join(dict.fromkeys(problems.values())),
        latencies_ms=latencies,
        run_seconds=time.perf_counter() - started,
    )


def _request(job: Job, folder: Path, trial: str) -> BuildRequest:
    path = engine_file(folder, trial)
    if not path.exists():
        raise BuildFailure(f"{job.backend} kept no engine that could be timed.")
    return BuildRequest(model=path, options=job.options, workdir=work_folder(folder))


def _stopwatch(engine: Engine, feeds: Feeds) -> Callable[[], float]:
    """The engine's own one, which leaves out the copies; else the time from host to host."""
    if isinstance(engine, TimesInference):
        return engine.stopwatch(feeds)

    def host_to_host() -> float:
        started = time.perf_counter()
        engine.run(feeds)
        return (time.perf_counter() - started) * 1e3

    return host_to_host
