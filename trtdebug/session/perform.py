"""Performs a job: build, run, compare. What happens inside a worker."""

from __future__ import annotations

import time
import traceback
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from trtdebug.backends.base import Backend, BuildRequest, Engine, Tensor, TimesLayers
from trtdebug.core.build_error import BuildError
from trtdebug.core.case import Profile
from trtdebug.core.errors import BuildFailure, NotHonoured, TrtdebugError, UserError
from trtdebug.core.intervention import MarkOutputs, ReplaceGraph
from trtdebug.core.outcome import EngineInfo, Outcome, Signature, TensorError
from trtdebug.oracle.compare import compare, is_float
from trtdebug.oracle.rows import uneven, with_equal_rows
from trtdebug.oracle.verdict import judge, worst
from trtdebug.plugins.types import Operator
from trtdebug.session.choices import rejudged
from trtdebug.session.engine_outputs import outputs_of
from trtdebug.session.files import work_folder
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.measuring import Measuring, Metrics
from trtdebug.session.tensors import TensorStore
from trtdebug.session.timing import engine_file, time_in_turns

_LONGEST_SHAPE = 64
"""Elements of a tensor that TensorRT takes for a shape, at most."""

Operators = Mapping[str, Operator]


def perform(
    job: Job,
    backend: Backend,
    folder: Path,
    metrics: Metrics | None = None,
    operators: Operators | None = None,
) -> Outcome:
    """Builds, runs all samples, compares, keeps what the job asks for.

    Args:
        folder: the session's folder.
        metrics: extra numbers a tensor.
        operators: custom operators that installed extensions implement, by name.

    Returns:
        pass, fail, or untestable: the engine could not be built or run, or did not honour an intervention.
    """
    if job.timed:
        return time_in_turns(job, backend, folder)
    store = TensorStore(folder / "tensors", remember=True)
    started = time.perf_counter()
    engine: Engine | None = None
    info: EngineInfo | None = None
    try:
        engine = backend.build(build_request(job, store, folder, operators or {}))
        built = time.perf_counter()
        info = engine.info()
        if (info.refused or info.ignored) and not job.isolated:
            raise NotHonoured(_refusal(info))
        if job.build_only:
            return Outcome("pass", engine=info, build_seconds=built - started)
        measuring = Measuring(metrics or Metrics())
        errors = _run(job, engine, store, measuring, info.unmarked)
        differing = _uneven(job, engine, store) if job.equal_rows else None
        info = _profiled(job, engine, store, info) if job.profile_runs else info
        ran = time.perf_counter()
    except (BuildFailure, NotHonoured, UserError) as error:
        return _untestable(error, info, time.perf_counter() - started, is_built=engine is not None)
    finally:
        if engine is not None:
            engine.close()
    outcome = Outcome("pass", tensors=errors, engine=info, uneven=differing, metric_faults=measuring.faults)
    if job.expected is not None:
        status, signature, reason = judge(errors)
        outcome = replace(outcome, status=status, signature=signature, reason=reason)
    return replace(outcome, build_seconds=built - started, run_seconds=ran - built)


def _refusal(info: EngineInfo) -> str:
    """What was ignored; which node did not get the precision that was asked, and which engine layer computes it so."""
    if info.ignored:
        return "; ".join(info.ignored) + "."
    node, more = info.refused[0], len(info.refused) - 1
    layer = next((x for x in info.layers if node in x.nodes and x.precision is not None), None)
    where = f": its layer {layer.name!r} writes {layer.precision}" if layer is not None else ""
    others = f" (and {more} more nodes)" if more else ""
    return f"the engine computes {node!r} in another precision than asked{where}{others}."


def _profiled(job: Job, engine: Engine, store: TensorStore, info: EngineInfo) -> EngineInfo:
    """What was built, with the time of each layer; with a note where the engine cannot tell."""
    if not isinstance(engine, TimesLayers):
        return replace(info, notes=(*info.notes, f"{info.backend} does not time layers"))
    feeds = _feeds(job, store, job.samples[0]) if job.samples else {}
    return replace(info, layers=engine.profile(feeds, job.profile_runs))


def _untestable(error: TrtdebugError, info: EngineInfo | None, seconds: float, is_built: bool) -> Outcome:
    signature = None if isinstance(error, NotHonoured) else Signature("build-failure")
    node = error.node if isinstance(error, BuildFailure) else None
    errors = () if is_built or signature is None else _build_errors(error)
    return Outcome(
        "untestable",
        signature,
        str(error),
        engine=info,
        node=node,
        build_seconds=seconds,
        build_errors=errors,
    )


def _build_errors(error: TrtdebugError) -> tuple[BuildError, ...]:
    """What the backend told of a build that failed; its message where it tells no more."""
    told = error.errors if isinstance(error, BuildFailure) else ()
    return told or (BuildError("build", error.message, node=getattr(error, "node", None)),)


def build_request(job: Job, store: TensorStore, folder: Path, operators: Operators) -> BuildRequest:
    """What the backend is asked to build for a job.

    Args:
        folder: the session's; files that a build reads and writes lie in it.
        operators: see `perform`.
    """
    graph = next((i for i in job.interventions if isinstance(i, ReplaceGraph)), None)
    options = replace(job.options, optimization_level=0) if job.fast else job.options
    return BuildRequest(
        model=Path(graph.model if graph else job.model),
        options=options,
        workdir=work_folder(folder),
        artifacts=folder / "trials" / job.sha256,
        interventions=tuple(i for i in job.interventions if i is not graph),
        outputs=job.outputs,
        profiles=shape_profiles(job, store),
        values=value_ranges(job, store),
        timing_cache=folder / "work" / "timing.cache" if job.fast else None,
        max_memory=job.max_memory,
        engine_file=engine_file(folder, job.sha256) if job.keep_engine else None,
        extensions=operators,
        sample=(lambda: _feeds(job, store, job.samples[0])) if job.samples else None,
    )


def shape_profiles(job: Job, store: TensorStore) -> dict[str, Profile]:
    """The user's profiles; every other input gets the shapes that the samples have (dynamic or not)."""
    profiles = dict(job.options.profiles)
    for name in job.feeds:
        if name in profiles:
            continue
        shapes = [store.get(s, ref).shape for s in job.samples for ref in _fed(job, name)]
        if len({len(s) for s in shapes}) == 1:
            profiles[name] = Profile.spanning(shapes)
    return profiles


def value_ranges(job: Job, store: TensorStore) -> dict[str, Profile]:
    """Smallest, first and largest values of the integer inputs that may hold shapes: short, of one length."""
    ranges = {}
    for name in job.feeds:
        samples = [store.get(s, ref) for s in job.samples for ref in _fed(job, name)]
        if len({v.shape for v in samples}) == 1 and _may_hold_a_shape(samples[0]):
            ranges[name] = Profile.spanning([[int(x) for x in v.ravel()] for v in samples])
    return ranges


def _fed(job: Job, name: str) -> Iterator[TensorRef]:
    """What an input is fed, in the first run and in each turn that feeds it something else."""
    yield job.feeds[name]
    yield from (turn.feeds[name] for turn in job.turns if name in turn.feeds)


def _may_hold_a_shape(value: Tensor) -> bool:
    return value.dtype.kind in "iu" and value.ndim <= 1 and value.size <= _LONGEST_SHAPE


def _feeds(job: Job, store: TensorStore, sample: str) -> dict[str, Tensor]:
    return {n: store.get(sample, ref) for n, ref in job.feeds.items()}


def _run(
    job: Job, engine: Engine, store: TensorStore, measuring: Measuring, unmarked: Collection[str]
) -> tuple[TensorError, ...]:
    errors: list[TensorError] = []
    for number, sample in enumerate(job.samples, 1):
        found: dict[str, TensorError] = {}
        for name, value in _outputs(job, engine, store, sample):
            if job.expected is not None and _is_compared(job, name):
                found[name] = _compare(job, store, sample, name, value, measuring)
            if job.keep == "all":
                _keep(job, store, sample, name, value)
        of = f"{number} of {len(job.samples)}" if len(job.samples) > 1 else ""
        errors += (replace(error, sample=of) for error in _in_order(job, store, sample, found, unmarked))
    failing = {e.tensor for e in errors if e.status != "pass"}
    if job.keep == "failing" and failing:
        # in a second pass, since a tensor that fails in one sample is wanted of all of them
        for sample in job.samples:
            for name, value in _outputs(job, engine, store, sample):
                if name in failing:
                    _keep(job, store, sample, name, value)
    return worst(errors)


def _outputs(job: Job, engine: Engine, store: TensorStore, sample: str) -> Iterator[tuple[str, Tensor]]:
    """What the engine gives for a sample, in all turns, one tensor after the other; none is held here."""
    feeds = _feeds(job, store, sample)
    yield from outputs_of(engine, feeds, job.backend)
    for turn in job.turns:
        others = {name: store.get(sample, ref) for name, ref in turn.feeds.items()}
        for name, value in outputs_of(engine, feeds | others, job.backend, turn.outputs):
            if name in turn.outputs:
                yield turn.outputs[name], value


def _keep(job: Job, store: TensorStore, sample: str, name: str, value: Tensor) -> None:
    store.put(sample, TensorRef(name, "" if job.record else job.sha256), value)


def _is_compared(job: Job, name: str) -> bool:
    """Whether it is expected, or one too many: where the graph's own outputs were asked for, others are."""
    marked = (t for i in job.interventions if isinstance(i, MarkOutputs) for t in i.tensors)
    return name in (job.expected or {}) or (job.outputs is None and name not in marked)


def _compare(
    job: Job, store: TensorStore, sample: str, name: str, candidate: Tensor, measuring: Measuring
) -> TensorError:
    ref = (job.expected or {}).get(name)
    if ref is None:
        return compare(name, None, candidate, job.limits)
    reference = store.get(sample, ref)
    error = compare(name, reference, candidate, job.limits)
    error = rejudged(error, job, store, sample, candidate)
    if candidate.shape == reference.shape and is_float(reference) and is_float(candidate):
        error = replace(error, extra=error.extra | measuring.measure(reference, candidate))
    return error


def _in_order(
    job: Job, store: TensorStore, sample: str, found: dict[str, TensorError], unmarked: Collection[str]
) -> Iterator[TensorError]:
    """First what is expected, in its order, and among it what is missing; then what is too much.

    What cannot be an output of the engine is neither: nobody knows its values there.
    """
    for name, ref in (job.expected or {}).items():
        if name in found:
            yield found.pop(name)
        elif name not in unmarked:
            yield compare(name, store.get(sample, ref), None, job.limits)
    yield from found.values()


def _uneven(job: Job, engine: Engine, store: TensorStore) -> tuple[str, ...] | None:
    """Outputs whose rows differ for equal rows of the first sample; None where it has no batch, or does not run."""
    feeds = with_equal_rows(_feeds(job, store, job.samples[0])) if job.samples else {}
    if not feeds:
        return None
    try:
        return uneven(feeds, engine.run(feeds), job.limits)
    except BuildFailure:  # the rows may depend on each other: no word on the samples themselves
        traceback.print_exc()
        return None
