"""onnxruntime sessions over one model, each with outputs of its own."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from trtdebug.core.errors import BuildFailure
from trtdebug.graph.walk import captured

if TYPE_CHECKING:
    import onnx

    M = TypeVar("M", onnx.NodeProto, onnx.ValueInfoProto)

_PROTOBUF_LIMIT = 1_900_000_000
_CUDA = ("CUDAExecutionProvider", {"use_tf32": 0})
_FATAL_ONLY = 4
"""What onnxruntime prints: an error comes as an exception, which holds all of it."""
_BLAMED = re.compile(
    r"\bNode \((.+?)\) Op \(|\bIn Node, \(\"(.+?)\", |\bnode \((.+?)\)|running \w+ node\. Name:'(.+?)' Status"
)


class Sessions:
    """Opens a model with any of its tensors as outputs. Its weights are serialised once, and not copied else.

    Args:
        model: is left as it was.
        workdir: takes the model file when it is too large to be handed over in memory.
        libraries: of custom operators, for onnxruntime.
    """

    def __init__(self, model: onnx.ModelProto, workdir: Path, libraries: Sequence[str] = ()) -> None:
        graph = model.graph
        self._libraries = tuple(libraries)
        self._outputs, self._nodes = _copies(graph.output), _copies(graph.node)
        self._producer = {o: at for at, node in enumerate(self._nodes) for o in node.output if o}
        del graph.output[:], graph.node[:]
        try:
            self._path = None if model.ByteSize() < _PROTOBUF_LIMIT else workdir / "model.onnx"
            self._rest = _serialised(model, self._path)
        finally:
            graph.output.extend(self._outputs)
            graph.node.extend(self._nodes)

    @property
    def own(self) -> list[str]:
        """The model's own outputs."""
        return [output.name for output in self._outputs]

    def whole(self, marked: Iterable[str] = ()) -> Any:
        """An `onnxruntime.InferenceSession` of the whole model, with more outputs than its own.

        Raises:
            BuildFailure: onnxruntime does not load the model.
        """
        return self._open(self._nodes, dict.fromkeys([*self.own, *marked]), arena=True)

    def part(
        self,
        outputs: Sequence[str],
        nodes: Sequence[onnx.NodeProto] = (),
        given: Mapping[str, int] | None = None,
    ) -> Any:
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
        nodes: Iterable[onnx.NodeProto],
        outputs: Iterable[str],
        inputs: Iterable[onnx.ValueInfoProto] = (),
        *,
        arena: bool,
    ) -> Any:
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
        # Two serialised messages in a row are, to protobuf, one: their repeated fields are joined.
        joined = self._rest + front.SerializeToString()
        if self._path is not None:
            self._path.write_bytes(joined)
        source = joined if self._path is None else str(self._path)
        try:
            return onnxruntime.InferenceSession(source, options, providers=providers())
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
