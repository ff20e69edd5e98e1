"""onnxruntime: the reference. Runs the model as written, unoptimised, so that every tensor exists."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from trtdebug.backends.base import Availability, BuildRequest, Engine, Feeds, Tensor
from trtdebug.backends.batches import split
from trtdebug.backends.ort_sessions import Sessions, providers
from trtdebug.backends.ort_values import are_simple, can_be_fed, chained, computed, sizes
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import EngineInfo

if TYPE_CHECKING:
    import onnx

    from trtdebug.backends.operators import Implementations
    from trtdebug.backends.staged import StagedEngine

DEFAULT_MEMORY = 256 << 20
"""Bytes of outputs held at once, unless the user says otherwise."""


class OnnxruntimeBackend:
    """The model as it is, in its own precision; interventions have no meaning here."""

    name = "onnxruntime"
    summary = "onnxruntime, graph optimisation off (CUDA where it is there, else CPU)"
    realises: frozenset[str] = frozenset({"ReplaceGraph", "MarkOutputs"})
    deterministic = True
    stands_in = True
    bounds_memory: Literal[True] = True

    def probe(self) -> Availability:
        if importlib.util.find_spec("onnxruntime") is None:
            return Availability(False, reason="onnxruntime is not installed (pip install 'trtdebug[cpu]')")
        import onnxruntime

        return Availability(True, version=onnxruntime.__version__, device=providers()[0][0].split("Exec")[0])

    def build(self, request: BuildRequest) -> Engine:
        from trtdebug.backends.operators import implementations
        from trtdebug.graph.load import load_mapped

        refuse_others(request, self.name, self.realises)
        found = implementations(request.options.operators, request.extensions)
        return open_engine(load_mapped(request.model), found, request, self.name)


class OrtEngine:
    """An onnxruntime session over a model.

    Args:
        outputs: tensors to return; None = the graph's outputs.
        workdir: takes the model file when it is too large to be handed over in memory.
        max_memory: bytes of outputs that `stream` may hold at once; None = 256 MiB.
        libraries: of custom operators, for onnxruntime.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        outputs: Iterable[str] | None,
        workdir: Path,
        backend: str,
        max_memory: int | None = None,
        libraries: tuple[str, ...] = (),
    ) -> None:
        self.backend = backend
        self.max_memory = DEFAULT_MEMORY if max_memory is None else max_memory
        self.sessions = Sessions(model, workdir, libraries)
        self.outputs = list(outputs) if outputs is not None else self.sessions.own
        self.session = self.sessions.whole(self.outputs)

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        return {n: np.array(v) for n, v in computed(self.session, self.outputs, feeds)}

    def stream(self, feeds: Feeds) -> Iterator[tuple[str, Tensor]]:
        """As `run`, one tensor after the other. What is too much for the memory is computed in several sessions,
        each for a batch of outputs and with what these depend on."""
        batches = self._batches(feeds)
        if len(batches) < 2:
            yield from computed(self.session, self.outputs, feeds)
        elif are_simple(self.session, self.outputs, feeds) and can_be_fed(self.session, self.outputs):
            yield from chained(self.sessions, batches, feeds)
        else:
            for batch in batches:
                yield from computed(self.sessions.part(batch), batch, feeds)

    def stream_some(self, outputs: Collection[str], feeds: Feeds) -> Iterator[tuple[str, Tensor]]:
        """As `stream`, of these outputs; where weights lie in files, only what they depend on is computed."""
        batches = self._batches(feeds)
        if len(batches) > 1 and not self.sessions.has_mapped:
            yield from self.stream(feeds)
            return
        for batch in batches:
            some = [name for name in batch if name in outputs]
            if some:
                session = self.sessions.part(some) if self.sessions.has_mapped else self.session
                yield from computed(session, some, feeds)

    def info(self) -> EngineInfo:
        import onnxruntime

        device = str(self.session.get_providers()[0]).split("Exec")[0]
        return EngineInfo(self.backend, onnxruntime.__version__, device)

    def close(self) -> None:
        del self.session, self.sessions

    def _batches(self, feeds: Feeds) -> list[list[str]]:
        if set(self.outputs) <= set(self.sessions.own):  # what the user's own runs hold, too
            return [self.outputs]
        return split(self.outputs, sizes(self.sessions, self.session, self.outputs, feeds), self.max_memory)


def open_engine(
    model: onnx.ModelProto, found: Implementations, request: BuildRequest, backend: str
) -> OrtEngine | StagedEngine:
    """An engine of this model, for the request's outputs, that computes its custom operators as `found` says.

    Args:
        model: nodes named; the functions of `found` are put into it.

    Raises:
        BuildFailure: onnxruntime does not load it; which operators have no implementation is said.
    """
    from trtdebug.backends.operators import explained
    from trtdebug.backends.staged import StagedEngine

    found.put_in(model)
    python = found.nodes(model)
    outputs, memory = request.outputs, request.max_memory
    try:
        if python:
            return StagedEngine(model, python, outputs, request.workdir, backend, memory, found.libraries)
        return OrtEngine(model, outputs, request.workdir, backend, memory, found.libraries)
    except BuildFailure as failure:
        raise explained(failure, model, found, backend) from failure


def tensor_dtypes(model: onnx.ModelProto, workdir: Path, libraries: Sequence[str] = ()) -> dict[str, str]:
    """numpy dtype name of every top-level tensor, as onnxruntime itself sees it.

    Raises:
        BuildFailure: onnxruntime does not load the model.
    """
    sessions = Sessions(model, workdir, libraries)
    names = [o for n in model.graph.node for o in n.output if o]
    session = sessions.whole(names)
    found = {t.name: _numpy_name(t.type) for t in [*session.get_inputs(), *session.get_outputs()]}
    return found | {i.name: _onnx_name(i.data_type) for i in model.graph.initializer}


def refuse_others(request: BuildRequest, backend: str, realises: frozenset[str]) -> None:
    """Nothing, where the backend can realise every intervention.

    Raises:
        BuildFailure: it can't realise one. To build without it would answer another question.
    """
    for intervention in request.interventions:
        kind = type(intervention).__name__
        if kind not in realises:
            raise BuildFailure(f"{backend} cannot realise {kind}.", "See the backend's `realises`.")


def _numpy_name(ort_type: str) -> str:
    inner = ort_type.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(inner, inner)


def _onnx_name(data_type: int) -> str:
    from onnx import helper

    return str(np.dtype(helper.tensor_dtype_to_np_dtype(data_type)).name)
