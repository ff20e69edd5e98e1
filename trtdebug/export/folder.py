"""Writes fix folders."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx

from trtdebug.backends.apart import MADE_OUTPUTS
from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.editable_cache import CACHE_FILE
from trtdebug.backends.tensorrt.layer_flags import PinnedLayer
from trtdebug.backends.tensorrt.precision import PINNED_FILE
from trtdebug.backends.tensorrt.tactic_replay import TACTICS_FILE
from trtdebug.core.diagnosis import BackendInfo, Fix
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.core.intervention import BanTactic, BreakFusion, Intervention, ReplaceGraph, UseTactic
from trtdebug.core.jsonable import from_data, loads
from trtdebug.export.commands import CONSTRAINTS_SCRIPT, trtexec_text
from trtdebug.export.manifest import MANIFEST, FixManifest, Sample, TensorFile, write_manifest
from trtdebug.export.models import strongly_typed, weight_bytes, well_named
from trtdebug.export.readme import readme
from trtdebug.graph.function_calls import called_by, key_of
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.inputs import input_types
from trtdebug.graph.load import content_sha256, load_model, save_model
from trtdebug.graph.neutral import keep_apart
from trtdebug.graph.types import TensorType
from trtdebug.scripts.bundle import bundle
from trtdebug.session.files import whole_folder
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.perform import shape_profiles, value_ranges
from trtdebug.session.tensors import TensorStore
from trtdebug.stages.context import Context

TENSORS = "tensors"
_TYPED, _NAMED, _REWRITTEN, _CALIBRATION = "mixed.onnx", "model.onnx", "rewritten.onnx", "calibration.cache"
_SAMPLE_BYTES = 256 << 20
"""Of all samples, inputs and expected outputs, in a folder."""

_MODEL_BYTES = 512 << 20
"""Of weights in a model that is written only because it is handy."""


def export_fix(
    ctx: Context, fix: Fix, folder: Path, candidate: BackendInfo, versions: Mapping[str, str]
) -> FixManifest:
    """Writes the folder of a verified fix, at once or not at all; an older one there is replaced.

    Raises:
        UserError: `folder` exists and is no fix folder, or cannot be written.
        ValueError: the fix is not verified.
    """
    if not fix.verified:
        raise ValueError("a fix that is not verified is not exported")
    try:
        with whole_folder(folder, MANIFEST, "fix folder") as temporary:
            return _fill(ctx, fix, temporary, candidate, versions)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror or error}.", "Is the disk full?"
        ) from error


def _fill(
    ctx: Context, fix: Fix, folder: Path, candidate: BackendInfo, versions: Mapping[str, str]
) -> FixManifest:
    interventions = ctx.as_built(fix.interventions)
    job = ctx.candidate_job("export", interventions)
    store = ctx.session.tensors
    graph = next((i for i in fix.interventions if isinstance(i, ReplaceGraph)), None)
    source = Path(graph.model if graph else job.model)
    model = load_model(source)
    functions = {key_of(f) for f in model.functions}
    operators = {n.name: n.op for n in GraphIndex(model).nodes}
    calls = {n.name for n in model.graph.node if called_by(n) in functions}
    manifest = FixManifest(
        kind=fix.kind,
        summary=fix.summary,
        interventions=_kept(interventions, folder),
        case=ctx.case,
        builds_passed=fix.builds_passed,
        profiles=shape_profiles(job, store),
        dynamic=tuple(n for n, t in input_types(model).items() if _is_open(t)),
        values=value_ranges(job, store),
        own_rounding=dict(ctx.own_rounding),
        versions={candidate.backend: candidate.version} | dict(versions),
        device=candidate.device,
        samples=tuple(_samples(ctx, folder)),
    )
    manifest = replace(
        manifest,
        operators={n: operators[n] for n in manifest.pins if n in operators},
        calls=tuple(n for n in manifest.pins if n in calls),
    )
    if _keeps_apart(model, fix, folder):
        source = folder / _NAMED
        manifest = replace(manifest, model=_NAMED, apart=True)
    manifest = _with_models(manifest, job, source, folder, ctx.session.folder / "work")
    manifest = _with_artifacts(manifest, interventions, ctx.session.folder / "trials", folder)
    write_manifest(manifest, folder)
    versions_line = f"# Written for a fix found with {_told(candidate)}; works with TensorRT 8.6 to 11.\n"
    (folder / "build.py").write_text(versions_line + _script("build"), encoding="utf-8")
    (folder / CONSTRAINTS_SCRIPT).write_text(
        versions_line + _script("polygraphy_constraints"), encoding="utf-8"
    )
    (folder / "trtexec.txt").write_text(trtexec_text(manifest), encoding="utf-8")
    (folder / "README.txt").write_text(readme(manifest), encoding="utf-8")
    return manifest


@cache
def _script(name: str) -> str:
    """The same for every fix."""
    return bundle(f"trtdebug.export.scripts.{name}")


def _told(candidate: BackendInfo) -> str:
    """Backend and version, as a comment in a script may hold them."""
    return re.sub(r"[^A-Za-z0-9_. +-]", "_", f"{candidate.backend} {candidate.version}")[:100]


def _is_open(type_: TensorType) -> bool:
    return type_.shape is None or not all(isinstance(dim, int) for dim in type_.shape)


def _kept(interventions: tuple[Intervention, ...], folder: Path) -> tuple[Intervention, ...]:
    """The interventions, with a rewritten model in the folder."""
    kept: list[Intervention] = []
    for intervention in interventions:
        if isinstance(intervention, ReplaceGraph):
            save_model(load_model(Path(intervention.model)), folder / _REWRITTEN)
            intervention = ReplaceGraph(_REWRITTEN, content_sha256(folder / _REWRITTEN))
        kept.append(intervention)
    return tuple(kept)


def _keeps_apart(model: onnx.ModelProto, fix: Fix, folder: Path) -> bool:
    """Writes the model with neutral nodes, where the fix was built with such."""
    tensors = [i.tensor for i in fix.interventions if isinstance(i, BreakFusion)]
    if not tensors or MADE_OUTPUTS in fix.note:
        return False
    try:
        apart = keep_apart(model, tensors)
    except UserError:  # a backend that does it in a way of its own
        return False
    save_model(apart, folder / _NAMED)
    return True


def _samples(ctx: Context, folder: Path) -> Iterator[Sample]:
    """Copies inputs and expected outputs of the first samples that fit."""
    left = _SAMPLE_BYTES
    store = TensorStore(folder / TENSORS)
    for name in ctx.case.samples:
        kinds = [list(ctx.index.inputs), list(ctx.reference_job().outputs or ())]
        ctx.need_reference(kinds[1], name)
        refs = [TensorRef(t) for kind in kinds for t in kind]
        left -= sum(ctx.session.tensors.path(name, ref).stat().st_size for ref in refs)
        if left < 0:
            return
        for ref in refs:
            target = store.path(name, ref)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ctx.session.tensors.path(name, ref), target)
        files = [tuple(_tensor_file(store, folder, name, t) for t in kind) for kind in kinds]
        yield Sample(name, *files)


def _tensor_file(store: TensorStore, folder: Path, sample: str, tensor: str) -> TensorFile:
    path = store.path(sample, TensorRef(tensor))
    value = np.load(path, allow_pickle=False, mmap_mode="r")
    return TensorFile(tensor, path.relative_to(folder).as_posix(), value.dtype.name, tuple(value.shape))


def _with_models(manifest: FixManifest, job: Job, source: Path, folder: Path, work: Path) -> FixManifest:
    """Adds the models that the folder holds."""
    in_model = (ReplaceGraph, BreakFusion) if manifest.apart else (ReplaceGraph,)
    request = BuildRequest(
        model=source,
        options=job.options,
        workdir=work,
        interventions=tuple(i for i in job.interventions if not isinstance(i, in_model)),
        profiles=manifest.profiles,
        values=manifest.values,
    )
    if manifest.rewritten and not manifest.apart:
        manifest = replace(manifest, model=_REWRITTEN)
    else:
        try:
            named = well_named(request, manifest.pins)
        except BuildFailure as failure:
            raise UserError(f"the fix cannot be exported: {failure.message}", failure.hint) from failure
        if named is not None:
            save_model(named, folder / _NAMED)
            manifest = replace(manifest, model=_NAMED)
    try:
        typed = strongly_typed(request)
    except BuildFailure as failure:
        return replace(manifest, typed_reason=str(failure))
    if typed is None:
        return manifest
    if weight_bytes(typed.model) > _MODEL_BYTES:
        return replace(manifest, typed_reason=f"the model is larger than {_MODEL_BYTES >> 20} MiB")
    save_model(typed.model, folder / _TYPED)
    return replace(manifest, typed=_TYPED, unlowered=dict(typed.unlowered))


def _with_artifacts(
    manifest: FixManifest, interventions: tuple[Intervention, ...], trials: Path, folder: Path
) -> FixManifest:
    """Adds what the builds that verified the fix left behind."""
    layers = _artifact(trials, interventions, PINNED_FILE)
    if layers is not None:
        pinned = from_data(json.loads(layers.read_text(encoding="utf-8")), tuple[PinnedLayer, ...])
        manifest = replace(manifest, layers=pinned)
    cache = manifest.case.options.calibration_cache
    if cache is not None and Path(cache).is_file():
        shutil.copyfile(cache, folder / _CALIBRATION)
        manifest = replace(manifest, calibration=_CALIBRATION)
    if not any(isinstance(i, BanTactic | UseTactic) for i in interventions):
        return manifest
    found = {name: _artifact(trials, interventions, name) for name in (TACTICS_FILE, CACHE_FILE)}
    for name, path in found.items():
        if path is not None:
            shutil.copyfile(path, folder / name)
    tactics, timings = (name if path is not None else None for name, path in found.items())
    return replace(manifest, tactics=tactics, timing_cache=timings)


def _artifact(trials: Path, interventions: tuple[Intervention, ...], name: str) -> Path | None:
    """A file that a passing build with exactly these interventions, made as the user builds, left behind."""
    for path in sorted(trials.glob(f"*/{name}")):
        told = path.with_name("trial.json")
        if not told.is_file():
            continue
        job = loads(told.read_text(encoding="utf-8"), Job)
        outcome = path.with_name("outcome.json")
        passed = outcome.is_file() and json.loads(outcome.read_text(encoding="utf-8"))["status"] == "pass"
        if job.interventions == interventions and not job.fast and passed:
            return path
    return None
