"""From what the user gives to `trtdebug capability` to what is known and saved."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx

from trtdebug.backends.base import Availability, Backend, Feeds, Support, TellsSupport
from trtdebug.core.case import BuildOptions, Shape
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.graph.implied_types import complete_types
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import content_sha256, load_model, save_model
from trtdebug.graph.shapes import parse_shapes
from trtdebug.graph.types import Dim, TensorType, value_info, value_type
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.limits import WorkerLimits
from trtdebug.session.support import SupportQuestion, SupportWorker
from trtdebug.stages.capability.files import REST, Saved, prepare_folder, save
from trtdebug.stages.capability.run import Ran, run_plans
from trtdebug.stages.capability.segments import Capability, survey
from trtdebug.stages.inputs import generated
from trtdebug.stages.opening.backends import find_backend, require
from trtdebug.stages.opening.reference_run import ReferenceRun

_PREFERRED = ("tensorrt", "tensorrt-rtx")


@dataclass(frozen=True)
class CapabilityRequest:
    """What the user asked for; see the options of `trtdebug capability`.

    Attributes:
        shapes: NAME:SHAPE, of inputs and of tensors in between.
        out: folder for models and plans.
        run: run the plans on onnxruntime and compare.
        operators: files that implement custom operators for onnxruntime.
    """

    model: Path
    candidate: str = "auto"
    plugins: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    out: Path | None = None
    run: bool = False
    seed: int = 0
    operators: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Examined:
    """All that `trtdebug capability` found out.

    Attributes:
        saved: None where nothing was written: the model is supported, or nothing is known of its parts.
        runs: by file name of the plan.
        notes: one line each: what the user should know of how it was found.
    """

    model: Path
    sha256: str
    nodes: int
    backend: str
    version: str
    found: Capability
    saved: Saved | None
    runs: Mapping[str, Ran]
    notes: tuple[str, ...] = ()


def examine(request: CapabilityRequest, plugins: PluginManager, limits: WorkerLimits) -> Examined:
    """Asks the parser, saves the parts.

    Args:
        limits: of the worker that asks, for each question.

    Raises:
        UserError: no such file, not ONNX, no backend that can tell, shapes of no tensor of the model, a folder that
            holds other things.
    """
    model = load_model(request.model)
    shapes = parse_shapes(request.shapes)
    _check_shapes(model, shapes)
    backend, available = choose_parser(request.candidate, plugins)
    for library in request.plugins:
        if not Path(library).is_file():
            raise UserError(f"there is no plugin library {library}.", "Check --plugins.")
    out = request.out or Path(f"{request.model.stem}_capability")
    types = complete_types(model, shapes)
    feeds = _inputs(model, shapes, request.seed)
    rest = plugins.backends().get(REST)
    reference = ReferenceRun.of(rest, request.operators, model, plugins) if rest is not None else None
    seen = {}
    if reference is not None and reference.backend.probe().ok and not isinstance(feeds, str):
        seen = seen_ranks(request.model, GraphIndex(model), types, feeds, reference)
    types |= seen
    with _asking(backend, request, limits, plugins.to_env()) as ask:
        shaped = _shaped(model, types, shapes)
        whole = ask(request.model) if shaped is None else ask(shaped)
        found = survey(model, types, whole, ask)
    saved, runs = None, {}
    if found.verdict != "supported" and found.segments:
        prepare_folder(out)
        saved = save(request.model, model, types, found, backend.name, out)
        if request.run:
            runs = run_plans(feeds, saved, reference)
    return Examined(
        request.model,
        content_sha256(request.model),
        len(model.graph.node),
        backend.name,
        available.version,
        found,
        saved,
        runs,
        tuple(_notes(model, types, seen)),
    )


def seen_ranks(
    path: Path, index: GraphIndex, types: Mapping[str, TensorType], feeds: Feeds, reference: ReferenceRun
) -> dict[str, TensorType]:
    """Type and rank of the tensors of which one is not known, as they are in a run; none where it does not run."""
    lacking = tuple(t for t in index.tensors if t not in types or types[t].shape is None)
    if not lacking:
        return {}
    try:
        values = reference(path, feeds, lacking)
    except BuildFailure:  # then less is known, and said to be unknown
        return {}
    arrays = {name: values[name] for name in lacking if hasattr(values.get(name), "dtype")}
    return {name: TensorType(a.dtype.name, (None,) * a.ndim) for name, a in arrays.items()}


def _notes(
    model: onnx.ModelProto, types: Mapping[str, TensorType], seen: Mapping[str, TensorType]
) -> Iterator[str]:
    for name in GraphIndex(model).inputs:
        if name not in types or types[name].shape is None:
            yield (
                f"the model does not say how many dimensions its input {name!r} has, and the parser takes that for a "
                f"scalar; give its shape: --input-shapes {name}:SHAPE"
            )
    if seen:
        first = next(iter(seen))
        more = f" and {len(seen) - 1} more" if len(seen) > 1 else ""
        yield f"the number of dimensions of {first!r}{more} is the one in a run of {REST}: the model does not say it"


def choose_parser(name: str, plugins: PluginManager) -> tuple[Backend, Availability]:
    """The backend whose parser is asked; `auto`: the first that works here, TensorRT before TensorRT-RTX.

    Raises:
        UserError: no such backend, one that does not work here, or one that can't tell.
    """
    backends = plugins.backends()
    if name != "auto":
        backend = find_backend(name, plugins, "candidate")
        if not isinstance(backend, TellsSupport):
            able = [n for n, b in backends.items() if isinstance(b, TellsSupport)]
            raise UserError(
                f"{name} has no parser that could be asked.", f"Those that have: {', '.join(able)}."
            )
        return backend, require(backend)
    order = [*_PREFERRED, *(n for n in backends if n not in _PREFERRED)]
    reasons = []
    for candidate in (backends[n] for n in order if n in backends):
        if isinstance(candidate, TellsSupport):
            available = candidate.probe()
            if available.ok:
                return candidate, available
            reasons.append(f"{candidate.name}: {available.reason}")
    raise UserError(
        f"no backend here has a parser that works ({'; '.join(reasons) or 'there is none'}).",
        "TensorRT-RTX needs no GPU for it: `pip install tensorrt_rtx`."
        if "tensorrt-rtx" in backends
        else "TensorRT-RTX needs no GPU for it: install the extension trtdebug-rtx, and tensorrt_rtx.",
    )


@contextmanager
def _asking(
    backend: Backend, request: CapabilityRequest, limits: WorkerLimits, environment: Mapping[str, str]
) -> Iterator[Callable[[onnx.ModelProto | Path], Support]]:
    """Asks for models or files, in a worker and with a folder that are gone afterwards."""
    options = BuildOptions(plugins=request.plugins)
    with tempfile.TemporaryDirectory(prefix="trtdebug-") as name:
        folder = Path(name)
        worker = SupportWorker(backend.name, folder, limits, environment)

        def ask(model: onnx.ModelProto | Path) -> Support:
            if isinstance(model, Path):
                return worker(SupportQuestion(backend.name, str(model.resolve()), options))
            file = folder / "asked.onnx"
            save_model(model, file)
            return worker(SupportQuestion(backend.name, str(file), options))

        try:
            yield ask
        finally:
            worker.close()


def _check_shapes(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> None:
    index = GraphIndex(model)
    for name in shapes:
        if name not in index.producer and name not in index.inputs:
            raise UserError(
                f"a shape names {name!r}, which is no tensor of the model.", "Check --input-shapes."
            )
    for value in model.graph.input:
        type_, shape = value_type(value), shapes.get(value.name)
        if shape is not None and type_ is not None and not _fits(shape, type_.shape):
            raise UserError(
                f"--input-shapes gives {value.name!r} {list(shape)}, but the model wants {list(type_.shape or ())}.",
                "Only named or unknown (?) dimensions are free.",
            )


def _fits(shape: Shape, declared: tuple[Dim, ...] | None) -> bool:
    return declared is None or (
        len(shape) == len(declared)
        and all(dim == size for dim, size in zip(declared, shape, strict=True) if isinstance(dim, int))
    )


def _shaped(
    model: onnx.ModelProto, types: Mapping[str, TensorType], shapes: Mapping[str, Shape]
) -> onnx.ModelProto | None:
    """The model whose inputs have the given shapes; None where it has them already."""
    given = [value.name for value in model.graph.input if value.name in shapes]
    if not given:
        return None
    for value in model.graph.input:
        if value.name in given:
            value.CopyFrom(value_info(value.name, types[value.name]))
    return model


def _inputs(model: onnx.ModelProto, shapes: Mapping[str, Shape], seed: int) -> Feeds | str:
    """Random inputs, or why there are none."""
    inputs = {value.name for value in model.graph.input}
    try:
        samples, _ = generated(model, {n: s for n, s in shapes.items() if n in inputs}, seed, {})
    except UserError as reason:
        return str(reason)
    return samples[0]
