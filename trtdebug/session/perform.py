"""Performs a job: build, run, compare. What happens inside a worker."""

from __future__ import annotations

import math
import statistics
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from trtdebug.backends.base import Backend, BuildRequest, Engine, Tensor
from trtdebug.core.case import Profile
from trtdebug.core.errors import BuildFailure, NotHonoured, TrtdebugError, UserError
from trtdebug.core.intervention import MarkOutputs, ReplaceGraph
from trtdebug.core.outcome import EngineInfo, Outcome, Signature, TensorError
from trtdebug.oracle.compare import compare, is_float
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
        pass, fail, or untestable: the engine could not be built or run, or did not honour an intervention.
    """
    store = TensorStore(folder / "tensors")
    started = time.perf_counter()
    engine: Engine | None = None
    info: EngineInfo | None = None
    try:
        engine = backend.build(_request(job, store, folder))
        built = time.perf_counter()
        info = engine.info()
        if info.refused and not job.isolated:
            raise NotHonoured(f"the engine computes {info.refused[0]!r} in another precision than asked.")
        errors = _run(job, engine, store, metrics or {})
        latency = _latency(job, engine, store) if job.time_runs else None
        ran = time.perf_counter()
    except (BuildFailure, NotHonoured, UserError) as error:
        return _untestable(error, info, time.perf_counter() - started)
    finally:
        if engine is not None:
            engine.close()
    outcome = Outcome("pass", tensors=errors, engine=info, latency_ms=latency)
    if job.expected is not None:
        status, signature, reason = judge(errors)
        outcome = replace(outcome, status=status, signature=signature, reason=reason)
    return replace(outcome, build_seconds=built - started, run_seconds=ran - built)


def _untestable(error: TrtdebugError, info: EngineInfo | None, seconds: float) -> Outcome:
    signature = None if isinstance(error, NotHonoured) else Signature("build-failure")
    node = error.node if isinstance(error, BuildFailure) else None
    return Outcome("untestable", signature, str(error), engine=info, node=node, build_seconds=seconds)


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
        if job.expected is not None:
            errors.extend(_compare(job, store, sample, values, metrics))
        if job.keep == "all":
            _keep(job, store, sample, values, values)
    failing = {e.tensor for e in errors if e.status != "pass"}
    if job.keep == "failing" and failing:
        # in a second pass, since a tensor that fails in one sample is wanted of all of them
        for sample in job.samples:
            _keep(job, store, sample, engine.run(_feeds(job, store, sample)), failing)
    return worst(errors)


def _keep(
    job: Job, store: TensorStore, sample: str, values: Mapping[str, Tensor], names: Collection[str]
) -> None:
    for name, value in values.items():
        if name in names:
            store.put(sample, TensorRef(name, "" if job.record else job.sha256), value)


def _compare(
    job: Job, store: TensorStore, sample: str, values: Mapping[str, Tensor], metrics: Metrics
) -> list[TensorError]:
    """Errors of one sample: what is expected, and, where the graph's own outputs were asked for, what is not."""
    expected = job.expected or {}
    errors = []
    for name, ref in expected.items():
        reference, candidate = store.get(sample, ref), values.get(name)
        error = compare(name, reference, candidate, job.limits)
        if candidate is not None and candidate.shape == reference.shape:
            error = replace(error, extra=_measure(reference, candidate, metrics))
        errors.append(error)
    if job.outputs is None:
        known = {*expected, *(t for i in job.interventions if isinstance(i, MarkOutputs) for t in i.tensors)}
        errors += [compare(n, None, value, job.limits) for n, value in values.items() if n not in known]
    return errors


def _measure(reference: Tensor, candidate: Tensor, metrics: Metrics) -> dict[str, float]:
    """Extra numbers of a pair of float tensors; a metric that raises is NaN, its traceback in the log."""
    if not (is_float(reference) and is_float(candidate)):
        return {}
    extra = {}
    for name, metric in metrics.items():
        try:
            extra[name] = float(metric(reference, candidate))
        except Exception:  # noqa: BLE001 - extra numbers are no part of the verdict
            traceback.print_exc()
            extra[name] = math.nan
    return extra


def _latency(job: Job, engine: Engine, store: TensorStore) -> float:
    """Median of repeated runs of the first sample, milliseconds, host to host."""
    feeds = _feeds(job, store, job.samples[0])
    times = []
    for _ in range(job.time_runs):
        started = time.perf_counter()
        engine.run(feeds)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3
