"""Runs a model some of whose nodes are computed in Python: onnxruntime up to these nodes, Python, onnxruntime again.

The pieces between are models of their own. What goes from one to the next decides the types of their inputs, so
nothing has to be known of what a custom operator gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trtdebug.backends.base import Feeds, Tensor
from trtdebug.backends.onnxruntime import OrtEngine
from trtdebug.backends.operator_calls import Call
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import EngineInfo
from trtdebug.graph.constants import constant_tensors
from trtdebug.graph.extract import extract
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.mapped import values_of
from trtdebug.graph.steps import Step, split_at
from trtdebug.graph.types import TensorType, dtype_name, graph_types

if TYPE_CHECKING:
    import onnx

    from trtdebug.plugins.types import Operator


class StagedEngine:
    """A model with Python functions in it, as an `Engine` that streams.

    Args:
        model: nodes named; kept, and not changed.
        functions: by name of the nodes that Python computes.
        outputs, workdir, backend, max_memory, libraries: as `OrtEngine` takes them; the pieces put their files into
            folders of `workdir`.

    Raises:
        BuildFailure: onnxruntime does not load the first piece. Those behind custom nodes are loaded in the first run.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        functions: Mapping[str, Operator],
        outputs: Iterable[str] | None,
        workdir: Path,
        backend: str,
        max_memory: int | None = None,
        libraries: tuple[str, ...] = (),
    ) -> None:
        self.backend, self.workdir, self.max_memory = backend, workdir, max_memory
        self.libraries = libraries
        self.model, self.index = model, GraphIndex(model)
        self.outputs = list(outputs) if outputs is not None else list(self.index.outputs)
        self.types = graph_types(model.graph)
        self.constants = constant_tensors(model)
        protos = dict(zip((node.name for node in self.index.nodes), model.graph.node, strict=True))
        self.calls = {n: Call(operator, protos[n], self.types) for n, operator in functions.items()}
        self.steps = self._needed(split_at(self.index, self.calls.keys()))
        self._engines: dict[tuple[int, tuple[tuple[str, str], ...]], OrtEngine] = {}
        if self.steps and self._wanted(0):
            self._engine(0, {})

    def run(self, feeds: Feeds) -> dict[str, Tensor]:
        found = {name: np.array(value) for name, value in self.stream(feeds)}
        return {name: found[name] for name in self.outputs}

    def stream(self, feeds: Feeds) -> Iterator[tuple[str, Tensor]]:
        """As `run`, in the order in which tensors are computed. Holds what later steps read, beside one batch."""
        known: dict[str, Tensor] = dict(feeds)
        asked = set(self.outputs)
        yield from ((name, value) for name, value in self._given(feeds) if name in asked)
        for at, step in enumerate(self.steps):
            after = self._read_after(at)
            later = self._reads(step.apart) | after
            if self._wanted(at):
                for name, value in self._engine(at, known).stream(known):
                    if name in later:
                        known[name] = np.array(value)
                    if name in asked:
                        yield name, value
            for name in step.apart:
                for tensor, value in self._call(name, known).items():
                    known[tensor] = value
                    if tensor in asked:
                        yield tensor, value
            known = {n: v for n, v in known.items() if n in after or n in feeds}

    def info(self) -> EngineInfo:
        import onnxruntime

        from trtdebug.backends.ort_sessions import providers

        names = sorted({call.operator.name for call in self.calls.values()})
        note = f"computed in Python, in the precision of their inputs: {', '.join(names)}"
        device = providers()[0][0].split("Exec")[0]
        return EngineInfo(self.backend, onnxruntime.__version__, device, notes=(note,))

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()

    def _needed(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """The steps with those nodes only that the outputs depend on."""
        producers = [self.index.producer[o] for o in self.outputs if o in self.index.producer]
        needed = {*producers, *self.index.ancestors(producers)}
        kept = (
            Step(tuple(n for n in step.nodes if n in needed), tuple(n for n in step.apart if n in needed))
            for step in steps
        )
        return tuple(step for step in kept if step.nodes or step.apart)

    def _given(self, feeds: Feeds) -> Iterator[tuple[str, Tensor]]:
        """Outputs that no node computes: inputs and weights."""
        for name in dict.fromkeys(self.outputs):
            if name not in self.index.producer:
                yield name, np.asarray(feeds[name]) if name in feeds else self._constant(name)

    def _wanted(self, at: int) -> list[str]:
        """What onnxruntime has to give in a step: outputs, and what is read outside of the step's piece."""
        elsewhere = {*self._reads(self.steps[at].apart), *self._read_after(at)} - self.constants.keys()
        asked = elsewhere.union(self.outputs)
        written = (t for name in self.steps[at].nodes for t in self.index.node(name).writes)
        return [tensor for tensor in written if tensor in asked]

    def _read_after(self, at: int) -> set[str]:
        """Tensors that nodes of the steps after this one read."""
        return self._reads(n for step in self.steps[at + 1 :] for n in (*step.nodes, *step.apart))

    def _reads(self, nodes: Iterable[str]) -> set[str]:
        return {tensor for name in nodes for tensor in self.index.node(name).reads}

    def _engine(self, at: int, known: Feeds) -> OrtEngine:
        """The step's piece, for values of these types."""
        step = self.steps[at]
        outside = [
            t for t in sorted(self._reads(step.nodes) - self.constants.keys()) if t in self.index.producer
        ]
        given = {tensor: _dtype(known[tensor]) for tensor in outside if tensor in known}
        key = (at, tuple(given.items()))
        if key not in self._engines:
            types = {**self.types, **{name: TensorType(dtype, None) for name, dtype in given.items()}}
            piece = extract(self.model, step.nodes, types, index=self.index)
            own = [o for o in piece.graph.output if o.name in self.index.outputs]
            del piece.graph.output[:]
            piece.graph.output.extend(own)
            folder = self.workdir / f"step{at}"
            folder.mkdir(parents=True, exist_ok=True)
            self._engines[key] = OrtEngine(
                piece, self._wanted(at), folder, self.backend, self.max_memory, self.libraries
            )
        return self._engines[key]

    def _call(self, name: str, known: Feeds) -> dict[str, Tensor]:
        inputs: list[Tensor | None] = []
        for tensor in self.index.node(name).inputs:
            if not tensor:
                inputs.append(None)
            else:
                inputs.append(np.asarray(known[tensor]) if tensor in known else self._constant(tensor))
        return self.calls[name](inputs)

    def _constant(self, tensor: str) -> Tensor:
        if tensor not in self.constants:
            raise BuildFailure(f"there is no value for {tensor!r}.", "Feed it.")
        value: Tensor = values_of(self.constants[tensor])
        return value


def _dtype(value: Tensor) -> str:
    from onnx import helper

    return dtype_name(helper.np_dtype_to_tensor_dtype(np.asarray(value).dtype))
