"""onnxruntime sessions over one model, each with outputs of its own."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from trtdebug.core.errors import BuildFailure
from trtdebug.graph.mapped import is_mapped, values_of
from trtdebug.graph.walk import captured

if TYPE_CHECKING:
    import onnx

    M = TypeVar("M", onnx.NodeProto, onnx.TensorProto, onnx.ValueInfoProto)

_PROTOBUF_LIMIT = 1_900_000_000
_CUDA = ("CUDAExecutionProvider", {"use_tf32": 0})
_FATAL_ONLY = 4
"""What onnxruntime prints: an error comes as an exception, which holds all of it."""
_BLAMED = re.compile(
    r"\bNode \((.+?)\) Op \(|\bIn Node, \(\"(.+?)\", |\bnode \((.+?)\)|running \w+ node\. Name:'(.+?)' Status"
)


class Session:
    """An `onnxruntime.InferenceSession`, and the weights that are fed to it from their files, where it has any."""

    def __init__(self, session: Any, weights: Mapping[str, Any]) -> None:
        self._session, self._weights = session, weights

    def get_inputs(self) -> list[Any]:
        return [i for i in self._session.get_inputs() if i.name not in self._weights]

    def get_outputs(self) -> list[Any]:
        return list(self._session.get_outputs())

    def get_providers(self) -> list[str]:
        return list(self._session.get_providers())

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Any]) -> list[Any]:
        weights = {name: value.numpy() for name, value in self._weights.items()}
        return list(self._session.run(outputs, {**feeds, **weights}))

    def run_with_ort_values(self, outputs: Sequence[str], feeds: Mapping[str, Any]) -> list[Any]:
        return list(self._session.run_with_ort_values(outputs, {**feeds, **self._weights}))


class Sessions:
    """Opens a model with any of its tensors as outputs. Its weights are serialised once, and not copied else; those
    in files (see trtdebug.graph.mapped) are not serialised.

    Args:
        model: is left as it was.
        workdir: takes the model file when it is too large to be handed over in memory.
        libraries: of custom operators, for onnxruntime.
    """

    def __init__(self, model: onnx.ModelProto, workdir: Path, libraries: Sequence[str] = ()) -> None:
        graph = model.graph
        places = [at for at, tensor in enumerate(graph.initializer) if is_mapped(tensor)]
        self._mapped = {t.name: t for t in _copies(graph.initializer[at] for at in places)}
        self._libraries = tuple(libraries)
        self._outputs, self._nodes = _copies(graph.output), _copies(graph.node)
        self._producer = {o: at for at, node in enumerate(self._nodes) for o in node.output if o}
        del graph.output[:], graph.node[:]
        for at in reversed(places):
            del graph.initializer[at]
        try:
            self._path = None if model.ByteSize() < _PROTOBUF_LIMIT else workdir / "model.onnx"
            self._rest = _serialised(model, self._path)
        finally:
            graph.output.extend(self._outputs)
            graph.node.extend(self._nodes)
            for at, tensor in zip(places, self._mapped.values(), strict=True):
                graph.initializer.insert(at, tensor)

    @property
    def has_mapped(self) -> bool:
        """Whether weights stay in files."""
        return bool(self._mapped)

    @property
    def own(self) -> list[str]:
        """The model's own outputs."""
        return [output.name for output in self._outputs]

    def whole(self, marked: Iterable[str] = ()) -> Session:
        """A session of the whole model, with more outputs than its own.

        Raises:
            BuildFailure: onnxruntime does not load the model.
        """
        return self._open(self._nodes, dict.fromkeys([*self.own, *marked]), arena=True)

    def part(
        self,
        outputs: Sequence[str],
        nodes: Sequence[onnx.NodeProto] = (),
        given: Mapping[str, int] | None = None,
    ) -> Session:
        """A session that computes just these outputs, and whose memory is given back at once.

        Args:
            nodes: of the caller's own, that read the model's tensors.
            given: tensors of the model that are fed, not computed -> ONNX element type.

        Raises:
            BuildFailure: as `whole`.
        """
        from onnx.helper import make_tensor_value_info

        wanted = [*outputs, *(tensor for node in nodes for tensor in node.input)]
        needed = self._needed(wanted, given or {})
        written = {tensor for node in needed for tensor in node.output}  # of a node of which not all is given
        inputs = [
            make_tensor_value_info(name, kind, None)
            for name, kind in (given or {}).items()
            if name not in written
        ]
        return self._open([*needed, *nodes], outputs, inputs, arena=False)

    def reads(self, outputs: Sequence[str], given: Container[str]) -> set[str]:
        """Those of the `given` tensors without which these outputs can't be computed from what else is given."""
        nodes = self._needed(outputs, given)
        return {t for node in nodes for t in (*node.input, *captured(node)) if t in given}

    def _needed(self, tensors: Iterable[str], given: Container[str]) -> list[onnx.NodeProto]:
        """The nodes that these tensors depend on where others are given, in the model's order."""
        found: set[int] = set()
        todo = list(tensors)
        while todo:
            tensor = todo.pop()
            at = self._producer.get(tensor)
            if at is not None and at not in found and tensor not in given:
                found.add(at)
                todo += [*self._nodes[at].input, *captured(self._nodes[at])]
        return [self._nodes[at] for at in sorted(found)]

    def _open(
        self,
        nodes: Sequence[onnx.NodeProto],
        outputs: Iterable[str],
        inputs: Iterable[onnx.ValueInfoProto] = (),
        *,
        arena: bool,
    ) -> Session:
        read = {t for n in nodes for t in (*n.input, *captured(n))}.union(outputs) if self._mapped else ()
        weights = {name: tensor for name, tensor in self._mapped.items() if name in read}
        try:
            return self._load(nodes, outputs, inputs, weights, arena=arena, fed=True)
        except BuildFailure:
            if not weights:
                raise
        # Some kernels refuse weights that are fed. As initialisers, onnxruntime copies them.
        return self._load(nodes, outputs, inputs, weights, arena=arena, fed=False)

    def _load(
        self,
        nodes: Iterable[onnx.NodeProto],
        outputs: Iterable[str],
        inputs: Iterable[onnx.ValueInfoProto],
        weights: Mapping[str, onnx.TensorProto],
        *,
        arena: bool,
        fed: bool,
    ) -> Session:
        import onnx
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = _FATAL_ONLY
        options.enable_cpu_mem_arena = arena
        self._register_libraries(options)
        own = {output.name: output for output in self._outputs}
        front = onnx.ModelProto()
        front.graph.node.extend(nodes)
        front.graph.input.extend(inputs)
        front.graph.output.extend(own.get(o) or onnx.ValueInfoProto(name=o) for o in outputs)
        of_numpy = onnxruntime.OrtValue.ortvalue_from_numpy
        values = {name: of_numpy(values_of(tensor)) for name, tensor in weights.items()}
        if fed:
            front.graph.input.extend(
                onnx.helper.make_tensor_value_info(name, tensor.data_type, tensor.dims)
                for name, tensor in weights.items()
            )
        elif values:
            front.graph.initializer.extend(weights.values())
            options.add_external_initializers(list(values), list(values.values()))
        # Two serialised messages in a row are, to protobuf, one: their repeated fields are joined.
        joined = self._rest + front.SerializeToString()
        if self._path is not None:
            self._path.write_bytes(joined)
        source = joined if self._path is None else str(self._path)
        try:
            session = onnxruntime.InferenceSession(source, options, providers=providers())
            return Session(session, values if fed else {})
        except Exception as error:
            raise refusal("load", error) from error

    def _register_libraries(self, options: Any) -> None:
        for library in self._libraries:
            try:
                options.register_custom_ops_library(library)
            except Exception as error:
                said = " ".join(str(error).split())
                raise BuildFailure(
                    f"onnxruntime does not load the library of operators {library}: {said.rstrip('.')}.",
                    "It has to export RegisterCustomOps; a TensorRT plugin library goes to --plugins.",
                ) from error


def providers() -> list[tuple[str, Mapping[str, Any]]]:
    """CUDA where it is there, and the CPU."""
    import onnxruntime

    cpu: tuple[str, Mapping[str, Any]] = ("CPUExecutionProvider", {})
    if _CUDA[0] in onnxruntime.get_available_providers():
        return [_CUDA, cpu]
    return [cpu]


def refusal(verb: str, error: Exception) -> BuildFailure:
    """onnxruntime's message in one line, and the node that it blames."""
    text = " ".join(str(error).split())
    blamed = _BLAMED.search(text)
    node = next((name for name in blamed.groups() if name), None) if blamed else None
    return BuildFailure(f"onnxruntime cannot {verb} the model: {text}", node=node)


def _serialised(model: onnx.ModelProto, path: Path | None) -> bytes:
    """The model's bytes; with a path, those of a file there whose weights lie in a file beside it."""
    if path is None:
        return bytes(model.SerializeToString())
    from trtdebug.graph.load import save_model

    save_model(model, path)
    return path.read_bytes()


def _copies(messages: Iterable[M]) -> list[M]:
    copies = []
    for message in messages:
        copies.append(type(message)())
        copies[-1].CopyFrom(message)
    return copies
