"""Preflight: from what the user gave to a case whose inputs surely fit the model. Nothing is clamped silently."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from trtdebug.backends.base import Backend, ChecksOptions
from trtdebug.backends.tensorrt.engine_file import engine_sha256, is_engine_file
from trtdebug.backends.tensorrt.tactic_replay import read_replay
from trtdebug.core.case import BuildOptions, Case, Tolerance
from trtdebug.core.errors import UserError
from trtdebug.core.finding import Finding
from trtdebug.core.words import did_you_mean
from trtdebug.graph.load import content_sha256, load_mapped
from trtdebug.graph.ranges import parse_ranges
from trtdebug.graph.shapes import parse_shapes
from trtdebug.plugins.absent import why_absent
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.job import TensorRef
from trtdebug.session.tensors import TensorStore
from trtdebug.stages.inputs import Samples, check_samples, generated, read_samples
from trtdebug.stages.opening.backends import choose_candidate, working_backend
from trtdebug.stages.opening.case_files import file_contents
from trtdebug.stages.opening.ignored import ignored_options
from trtdebug.stages.opening.marks import check_marks
from trtdebug.stages.opening.operator_sources import operator_sources, same_implementation
from trtdebug.stages.opening.profiles import check_profiles, complete_profiles, parse_profiles


@dataclass(frozen=True)
class CaseRequest:
    """What the user asked for, as text and paths; see the options of `trtdebug run`.

    Attributes:
        inputs: files and folders, each as `--inputs` takes it; their samples in this order.
        samples: read already, in place of `inputs`.
        good_tactics: a recording of the tactics of a good build, Polygraphy's or a trial's.
        operators: files that implement custom operators for the reference, see trtdebug.plugins.operators.
    """

    model: Path
    options: BuildOptions = BuildOptions()
    tolerance: Tolerance = Tolerance()
    reference: str = "onnxruntime"
    candidate: str = "auto"
    candidate_model: Path | None = None
    inputs: Path | Sequence[Path] | None = None
    input_shapes: Sequence[str] = ()
    min_shapes: Sequence[str] = ()
    opt_shapes: Sequence[str] = ()
    max_shapes: Sequence[str] = ()
    ranges: Sequence[str] = ()
    seed: int = 0
    builds: int = 2
    fix_builds: int = 2
    command: str = ""
    max_memory: int | None = None
    samples: Samples | None = None
    good_tactics: Path | None = None
    localizer: str = ""
    operators: Sequence[Path] = ()


@dataclass(frozen=True)
class Prepared:
    """A case and its samples, not stored yet."""

    case: Case
    samples: Samples
    findings: tuple[Finding, ...]


def prepare(request: CaseRequest, plugins: PluginManager) -> Prepared:
    """Checks everything that the user gave.

    Raises:
        UserError: something does not exist, can't be read or does not fit.
    """
    model = load_mapped(request.model)
    check_files(request.options)
    operators = request.options.operators or operator_sources(request.operators, model, plugins)
    shapes = parse_shapes(request.input_shapes)
    profiles = parse_profiles(request.min_shapes, request.opt_shapes, request.max_shapes)
    check_profiles(model, profiles)
    check_tolerance(request.tolerance, [o.name for o in model.graph.output])
    samples, findings = _samples(request, model, {n: p.opt for n, p in profiles.items()} | shapes, plugins)
    check_samples(model, samples, profiles)
    profiles = complete_profiles(model, profiles, samples)
    engine = request.candidate_model is not None and is_engine_file(request.candidate_model)
    candidate_sha256 = None
    if request.candidate_model is not None and not engine:
        _check_candidate_model(request.candidate_model, samples)
        candidate_sha256 = content_sha256(request.candidate_model)
    elif request.candidate_model is not None:
        candidate_sha256 = engine_sha256(request.candidate_model)
    reference = working_backend(request.reference, plugins, "reference")
    candidate, notes = choose_candidate(_engines_backend(request) if engine else request.candidate, plugins)
    _check_precision(candidate, request.options)
    built = request.model if engine or request.candidate_model is None else request.candidate_model
    check_marks(request.options, built, candidate)
    if isinstance(candidate, ChecksOptions) and not engine:
        candidate.check_options(request.options, built)
    case = Case(
        model=str(request.model.resolve()),
        sha256=content_sha256(request.model),
        nodes=len(model.graph.node),
        options=replace(
            request.options,
            profiles=profiles,
            operators=operators,
            contents=file_contents(request.options),
        ),
        tolerance=request.tolerance,
        reference=reference.name,
        candidate=candidate.name,
        samples=tuple(f"s{i}" for i in range(len(samples))),
        inputs_sha256=_hash(samples),
        seed=request.seed,
        builds=request.builds,
        fix_builds=request.fix_builds,
        command=request.command,
        max_memory=request.max_memory,
        good_tactics=_recorded(request.good_tactics),
        localizer=_localizer(request.localizer, plugins),
        candidate_model=str(request.candidate_model.resolve()) if request.candidate_model else None,
        candidate_sha256=candidate_sha256,
    )
    notes += _vacuous(candidate, request) + same_implementation(candidate.name, operators)
    notes += ignored_options(candidate, request)
    return Prepared(case, samples, findings + notes)


def _localizer(name: str, plugins: PluginManager) -> str:
    """The name of a search strategy. Raises `UserError` where nobody has one of this name."""
    names = [found.value.name for found in plugins.collect("localizers")] if name else []
    if name and name not in names:
        absent = why_absent(plugins, "localizers")
        raise UserError(
            f"there is no search strategy {name!r} for --localizer.{absent}",
            did_you_mean(name, names, f"There are: {', '.join(sorted(names))}."),
        )
    return name


def _recorded(path: Path | None) -> dict[str, str]:
    return {layer: choice.name for layer, choice in read_replay(path).items()} if path is not None else {}


def store_samples(prepared: Prepared, store: TensorStore) -> None:
    """Writes the samples into the session's tensors/ folder."""
    for name, sample in zip(prepared.case.samples, prepared.samples, strict=True):
        for tensor, value in sample.items():
            store.put(name, TensorRef(tensor), value)


def _engines_backend(request: CaseRequest) -> str:
    """The backend that loads engine files. Raises `UserError` where another one was asked for."""
    if request.candidate not in ("auto", "tensorrt"):
        raise UserError(
            f"{request.candidate} loads no serialized engine such as {request.candidate_model}.",
            "Leave --candidate out.",
        )
    return "tensorrt"


def check_tolerance(tolerance: Tolerance, outputs: Sequence[str]) -> None:
    """Raises `UserError` for a tolerance of an output that the model does not have."""
    for name in tolerance.outputs:
        if name not in outputs:
            raise UserError(
                f"a tolerance names {name!r}, which is no output of the model.",
                did_you_mean(name, outputs, f"There are: {', '.join(outputs)}."),
            )


def _check_precision(candidate: Backend, options: BuildOptions) -> None:
    if options.precision == "int8" and candidate.name == "emulator":
        raise UserError(
            "the emulator cannot emulate INT8.",
            "Use --candidate tensorrt, or for a Q/DQ model as it is written --candidate onnxruntime.",
        )


def check_files(options: BuildOptions) -> None:
    """Raises `UserError` where a file that the options name is not there, or is of no use."""
    for plugin in options.plugins:
        if not Path(plugin).is_file():
            raise UserError(f"there is no plugin library {plugin}.", "Check --plugins.")
    cache = options.calibration_cache
    if cache is not None and not Path(cache).is_file():
        raise UserError(f"there is no calibration cache {cache}.", "Check --calibration-cache.")
    if cache is not None and options.precision != "int8":
        raise UserError("--calibration-cache says something of INT8 only.", "Give --int8 with it.")


def _check_candidate_model(path: Path, samples: Samples) -> None:
    """Both sides are fed the same samples."""
    try:
        check_samples(load_mapped(path), samples, {})
    except UserError as error:
        raise UserError(f"the candidate model {path.name}: {error.message}", error.hint) from error


def _samples(
    request: CaseRequest, model: onnx.ModelProto, shapes: dict[str, tuple[int, ...]], plugins: PluginManager
) -> tuple[Samples, tuple[Finding, ...]]:
    """Read from --inputs, else generated with these shapes: as asked for, else those the profile is tuned for."""
    if request.samples is not None:
        return request.samples, ()
    if request.inputs is None:
        return generated(model, shapes, request.seed, parse_ranges(request.ranges))
    if request.input_shapes or request.ranges:
        raise UserError(
            "--inputs already says the shapes and values.",
            "Drop --input-shapes and --val-range, or --inputs.",
        )
    return read_samples(request.inputs, plugins), ()


def _vacuous(candidate: Backend, request: CaseRequest) -> tuple[Finding, ...]:
    same_model = request.candidate_model is None
    if candidate.name not in ("emulator", "onnxruntime") or not same_model:
        return ()
    if candidate.name == "emulator" and request.options.precision != "fp32":
        return ()
    return (
        Finding(
            "candidate-is-reference",
            "warning",
            f"in {request.options.precision.upper()}, {candidate.name} computes just what the reference does: "
            "a match says nothing",
            mitigation=f"Give {'--fp16 or --bf16, ' if candidate.name == 'emulator' else ''}another --candidate, or a "
            "--candidate-model.",
        ),
    )


def _hash(samples: Samples) -> str:
    digest = hashlib.sha256()
    for sample in samples:
        for name in sorted(sample):
            value = sample[name]
            digest.update(f"{name}\0{value.dtype}\0{value.shape}\0".encode())
            digest.update(value.tobytes())
    return digest.hexdigest()
