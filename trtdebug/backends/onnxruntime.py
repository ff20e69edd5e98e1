"""onnxruntime: the reference. Runs the model as written, unoptimised, so that every tensor exists."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trtdebug.backends.base import Availability, BuildRequest, Engine, Feeds, Tensor
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import EngineInfo

if TYPE_CHECKING:
    import onnx

_PROTOBUF_LIMIT = 1_900_000_000
_CUDA = ("CUDAExecutionProvider", {"use_tf32": 0})
_ERRORS_ONLY = 3
_BLAMED = re.compile(
    r"\bNode \((.+?)\) Op \(|\bIn Node, \(\"(.+?)\", |\bnode \((.+?)\)|running \w+ node\. Name:'(.+?)' Status"
)


class OnnxruntimeBackend:
    """The model as it is, in its own precision; interventions have no meaning here."""

    name = "onnxruntime"
    summary = "onnxruntime, graph optimisation off (CUDA where it is there, else CPU)"
    realises: frozenset[str] = frozenset({"ReplaceGraph", "MarkOutputs"})
    deterministic = True

    def probe(self) -> Availability:
        if importlib.util.find_spec("onnxruntime") is None:
            return Availability(False, reason="onnxruntime is not installed (pip install 'trtdebug[cpu]')")
        import onnxruntime

        return Availability(True, version=onnxruntime.__version__, device=_providers()[0][0].split("Exec")[0])

    def build(self, request: BuildRequest) -> Engine:
        from trtdebug.graph.load import load_model

        refuse_others(request, self.name, self.realises)
        model = load_model(request.model)
        return OrtEngine(model, request.outputs, request.workdir, backend=self.name)


class OrtEngine:
    """An onnxruntime session over a model.

    Args:
        outputs: tensors to return; None = the graph's outputs.
        workdir: takes the model file when it is too large to be handed over in memory.
    """

    def __init__(
        self, model: onnx.ModelProto, outputs: Iterable[str] | None, workdir: Path, backend: str
    ) -> None:
        self.backend = backend
        marked = _with_outputs(model, outputs) if outputs is not None else model
        self.outputs = list(outputs) if outputs is not None else [o.name for o in model.graph.output]
        self.session = _session(marked, workdir)
        self.known = {i.name for i in self.session.get_inputs()}

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        try:
            values = self.session.run(
                self.outputs, {k: np.asarray(v) for k, v in feeds.items() if k in self.known}
            )
        except Exception as error:
            raise _refusal("run", error) from error
        for name, value in zip(self.outputs, values, strict=True):
            if not isinstance(value, np.ndarray):
                raise BuildFailure(f"output {name!r} is no tensor but a {type(value).__name__}.")
        return {n: np.array(v) for n, v in zip(self.outputs, values, strict=True)}

    def info(self) -> EngineInfo:
        import onnxruntime

        device = str(self.session.get_providers()[0]).split("Exec")[0]
        return EngineInfo(self.backend, onnxruntime.__version__, device)

    def close(self) -> None:
        del self.session


def tensor_dtypes(model: onnx.ModelProto, workdir: Path) -> dict[str, str]:
    """numpy dtype name of every top-level tensor, as onnxruntime itself sees it.

    Raises:
        BuildFailure: onnxruntime does not load the model.
    """
    names = [o for n in model.graph.node for o in n.output if o]
    session = _session(_with_outputs(model, names), workdir)
    found = {t.name: _numpy_name(t.type) for t in [*session.get_inputs(), *session.get_outputs()]}
    return found | {i.name: _onnx_name(i.data_type) for i in model.graph.initializer}


def _with_outputs(model: onnx.ModelProto, outputs: Iterable[str]) -> onnx.ModelProto:
    import onnx

    existing = {o.name for o in model.graph.output}
    extra = [o for o in outputs if o not in existing]
    if not extra:
        return model
    marked = onnx.ModelProto()
    marked.CopyFrom(model)
    marked.graph.output.extend(onnx.ValueInfoProto(name=o) for o in extra)
    return marked


def _session(model: onnx.ModelProto, workdir: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = _ERRORS_ONLY
    source: bytes | str
    if model.ByteSize() < _PROTOBUF_LIMIT:
        source = model.SerializeToString()
    else:
        from trtdebug.graph.load import save_model

        path = workdir / "model.onnx"
        save_model(model, path)
        source = str(path)
    try:
        return onnxruntime.InferenceSession(source, options, providers=_providers())
    except Exception as error:
        raise _refusal("load", error) from error


def _providers() -> list[tuple[str, Mapping[str, Any]]]:
    import onnxruntime

    cpu: tuple[str, Mapping[str, Any]] = ("CPUExecutionProvider", {})
    if _CUDA[0] in onnxruntime.get_available_providers():
        return [_CUDA, cpu]
    return [cpu]


def refuse_others(request: BuildRequest, backend: str, realises: frozenset[str]) -> None:
    """Nothing, where the backend can realise every intervention.

    Raises:
        BuildFailure: it can't realise one. To build without it would answer another question.
    """
    for intervention in request.interventions:
        kind = type(intervention).__name__
        if kind not in realises:
            raise BuildFailure(f"{backend} cannot realise {kind}.", "See the backend's `realises`.")


def _refusal(verb: str, error: Exception) -> BuildFailure:
    """onnxruntime's message in one line, and the node that it blames."""
    text = " ".join(str(error).split())
    blamed = _BLAMED.search(text)
    node = next((name for name in blamed.groups() if name), None) if blamed else None
    return BuildFailure(f"onnxruntime cannot {verb} the model: {text}", node=node)


def _numpy_name(ort_type: str) -> str:
    inner = ort_type.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(inner, inner)


def _onnx_name(data_type: int) -> str:
    from onnx import helper

    return str(np.dtype(helper.tensor_dtype_to_np_dtype(data_type)).name)
