"""Performs a job: build, run, compare. What happens inside a worker."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from trtdebug.backends.base import Backend, BuildRequest, Engine, Tensor
from trtdebug.core.case import Profile
from trtdebug.core.errors import BuildFailure, NotHonoured
from trtdebug.core.intervention import ReplaceGraph
from trtdebug.core.outcome import Outcome, Signature, TensorError
from trtdebug.oracle.compare import compare
from trtdebug.oracle.verdict import judge, worst
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.tensors import TensorStore

Metrics = Mapping[str, Callable[[Tensor, Tensor], float]]


def perform(job: Job, backend: Backend, folder: Path, metrics: Metrics | None = None) -> Outcome:
    """Builds, runs all samples, compares, keeps what the job asks for.

    Args:
        folder: the session's folder.
        metrics: extra numbers a tensor, by name.

    Returns:
        pass, fail, or untestable when the engine could not be built or run, or did not honour an intervention.
    """
    store = TensorStore(folder / "tensors")
    started = time.perf_counter()
    engine: Engine | None = None
    try:
        engine = backend.build(_request(job, store, folder))
        built = time.perf_counter()
        info = engine.info()
        if info.refused:
            raise NotHonoured(f"the engine computes {info.refused[0]!r} in another precision than asked.")
        errors = _run(job, engine, store, metrics or {})
        latency = _latency(job, engine, store) if job.time_runs else None
        ran = time.perf_counter()
    except BuildFailure as error:
        seconds = time.perf_counter() - started
        return Outcome(
            "untestable", Signature("build-failure"), str(error), node=error.node, build_seconds=seconds
        )
    except NotHonoured as error:
        seconds = time.perf_counter() - started
        return Outcome("untestable", None, str(error), engine=info, build_seconds=seconds)
    finally:
        if engine is not None:
            engine.close()
    outcome = Outcome("pass", tensors=errors, engine=info, latency_ms=latency)
    if job.expected is not None:
        status, signature, reason = judge(errors)
        outcome = replace(outcome, status=status, signature=signature, reason=reason)
    return replace(outcome, build_seconds=built - started, run_seconds=ran - built)


def _request(job: Job, store: TensorStore, folder: Path) -> BuildRequest:
    graph = next((i for i in job.interventions if isinstance(i, ReplaceGraph)), None)
    workdir = folder / "work"
    workdir.mkdir(parents=True, exist_ok=True)
    options = replace(job.options, optimization_level=0) if job.fast else job.options
    return BuildRequest(
        model=Path(graph.model if graph else job.model),
        options=options,
        workdir=workdir,
        interventions=tuple(i for i in job.interventions if i is not graph),
        outputs=job.outputs,
        profiles=_profiles(job, store),
        timing_cache=workdir / "timing.cache" if job.fast else None,
    )


def _profiles(job: Job, store: TensorStore) -> dict[str, Profile]:
    """The user's profiles; every other input gets the shapes that the samples have (dynamic or not)."""
    profiles = dict(job.options.profiles)
    for name, ref in job.feeds.items():
        if name in profiles:
            continue
        shapes = [store.get(s, ref).shape for s in job.samples]
        if len({len(s) for s in shapes}) == 1:
            low = tuple(min(d) for d in zip(*shapes, strict=True))
            high = tuple(max(d) for d in zip(*shapes, strict=True))
            profiles[name] = Profile(low, shapes[0], high)
    return profiles


def _feeds(job: Job, store: TensorStore, sample: str) -> dict[str, Tensor]:
    return {n: store.get(sample, ref) for n, ref in job.feeds.items()}


def _run(job: Job, engine: Engine, store: TensorStore, metrics: Metrics) -> tuple[TensorError, ...]:
    errors: list[TensorError] = []
    for sample in job.samples:
        values = engine.run(_feeds(job, store, sample))
        found = _compare(job, store, sample, values, metrics) if job.expected is not None else []
        failing = {e.tensor for e in found if e.status != "pass"}
        for name, value in values.items():
            if job.keep == "all" or (job.keep == "failing" and name in failing):
                store.put(sample, TensorRef(name, "" if job.record else job.sha256), value)
        errors.extend(found)
    return worst(errors)


def _compare(
    job: Job, store: TensorStore, sample: str, values: Mapping[str, Tensor], metrics: Metrics
) -> list[TensorError]:
    errors = []
    for name, ref in (job.expected or {}).items():
        reference, candidate = store.get(sample, ref), values.get(name)
        error = compare(name, reference, candidate, job.limits)
        if candidate is not None and metrics and candidate.shape == reference.shape:
            error = replace(error, extra={k: float(m(reference, candidate)) for k, m in metrics.items()})
        errors.append(error)
    return errors


def _latency(job: Job, engine: Engine, store: TensorStore) -> float:
    """Median of repeated runs of the first sample, milliseconds, host to host."""
    feeds = _feeds(job, store, job.samples[0])
    times = []
    for _ in range(job.time_runs):
        started = time.perf_counter()
        engine.run(feeds)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3
