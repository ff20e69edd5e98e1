"""Folds constants: what reads nothing but constants is computed once, here."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from trtdebug.core.errors import UserError
from trtdebug.graph.constants import constant_tensors, constant_value
from trtdebug.graph.extract import extract, frame
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.limits import onnxruntime_limits
from trtdebug.graph.names import name_nodes
from trtdebug.graph.randomness import RANDOM
from trtdebug.graph.types import infer
from trtdebug.graph.walk import all_nodes

# Not folded: what gives other values each time, and quantisation, which TensorRT reads off the graph.
_QUANTISE = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
_NOT_FOLDED = frozenset((*RANDOM, *_QUANTISE))

_PASSES = 8


@dataclass(frozen=True)
class Folded:
    """A folded model; the source stays as it was.

    Attributes:
        nodes: those that are constants now, and what only led to them.
        unneeded: those that led to no output, and went along.
    """

    model: onnx.ModelProto
    nodes: tuple[str, ...]
    unneeded: tuple[str, ...]


def foldable(model: onnx.ModelProto) -> tuple[str, ...]:
    """Nodes that read nothing but constants, directly or through such nodes; Constant nodes left out."""
    index = GraphIndex(model)
    known = set(index.initializers) | set(constant_tensors(model))
    found = []
    for name in index.order:
        node = index.node(name)
        if node.op not in _NOT_FOLDED and node.reads and all(tensor in known for tensor in node.reads):
            known.update(node.writes)
            found.append(name)
    return tuple(found)


def fold_constants(model: onnx.ModelProto) -> Folded:
    """Folds until nothing more does: what was an If with a known condition may leave constants behind.

    Raises:
        UserError: onnxruntime (which folds) is missing, or folded nothing where there is something to fold.
    """
    dead = _dead_ends(model)
    gone: list[str] = []
    for _ in range(_PASSES):
        model, now, said = _fold(model)
        left = foldable(model)
        gone += now
        if not now or not left:
            break
    model, now = _computed(model, left)
    gone += now
    if left and not gone:
        raise UserError(
            f"Constants could not be folded: {left[0]!r} and {len(left) - 1} more nodes read only constants.",
            said,
        )
    return Folded(model, tuple(n for n in gone if n not in dead), tuple(n for n in gone if n in dead))


def _dead_ends(model: onnx.ModelProto) -> set[str]:
    """Nodes that no output needs."""
    index = GraphIndex(model)
    last = {index.producer[tensor] for tensor in index.outputs if tensor in index.producer}
    return set(index.order) - last - index.ancestors(last)


def _fold(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str], str]:
    """One folding: the model, the nodes that are gone, and the last thing that graphsurgeon said."""
    limits = onnxruntime_limits()
    if limits is None:
        raise UserError("Folding constants needs onnxruntime.", "pip install 'trtdebug[cpu]'")
    before = [node.name for node in model.graph.node if node.op_type != "Constant"]
    inferred = infer(model)
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    # graphsurgeon folds by onnxruntime, and folds nothing, silently, where that refuses the IR version.
    typed.ir_version = min(model.ir_version, limits.ir)
    del typed.graph.value_info[:]
    typed.graph.value_info.extend(inferred.graph.value_info)
    with _quiet() as log:
        exported = _flattened(typed) or _surgery(typed, flatten=False)

    result = frame(model)
    result.graph.CopyFrom(exported.graph)
    del result.opset_import[:]
    result.opset_import.extend(exported.opset_import)
    name_nodes(result)
    after = {node.name for node in result.graph.node}
    said = log.getvalue().strip().splitlines()
    return result, [name for name in before if name not in after], said[-1] if said else ""


def _computed(model: onnx.ModelProto, names: Iterable[str]) -> tuple[onnx.ModelProto, list[str]]:
    """The model with these nodes computed one by one, and those that are gone.

    graphsurgeon leaves alone what a body of an If, Loop or Scan reads. What onnxruntime does not run stays.
    """
    gone: list[str] = []
    for name in names:
        values = _values(model, name)
        if values:
            work = onnx.ModelProto()
            work.CopyFrom(model)
            node = next(node for node in model.graph.node if node.name == name)
            work.graph.node.remove(node)
            work.graph.initializer.extend(onnx.numpy_helper.from_array(v, t) for t, v in values.items())
            model = work
            gone.append(name)
    return model, gone


def _values(model: onnx.ModelProto, name: str) -> dict[str, NDArray[np.generic]]:
    """What a node that reads constants only gives; empty where onnxruntime does not run it, or gives no tensors."""
    import onnxruntime

    limits = onnxruntime_limits()
    try:
        alone = extract(model, [name], {})
        alone.ir_version = min(alone.ir_version, limits.ir if limits is not None else alone.ir_version)
        with _quiet():
            session = onnxruntime.InferenceSession(
                alone.SerializeToString(), providers=["CPUExecutionProvider"]
            )
            found = session.run(None, {})
    except Exception:  # noqa: BLE001 - onnxruntime's errors have no common base; the node stays, and is told of
        return {}
    if not all(isinstance(value, np.ndarray) for value in found):
        return {}
    return dict(zip((o.name for o in alone.graph.output), found, strict=True))


def _flattened(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Folded, and each If with a known condition replaced by its branch; None where graphsurgeon does that wrongly.

    It renames tensors that the branches share with the graph, outputs too, loses others, and trips over what it lost.
    """
    try:
        exported = _surgery(model, flatten=True)
    except Exception:  # noqa: BLE001 - it stumbles over its own lists, in any way
        return None
    same = _names(exported.graph.output) == _names(model.graph.output)
    return exported if same and not _lacking(exported) - _lacking(model) else None


def _surgery(model: onnx.ModelProto, *, flatten: bool) -> onnx.ModelProto:
    import onnx_graphsurgeon as gs

    own = onnx.ModelProto()
    own.CopyFrom(model)  # flattening an If renames weights in place, in the model that it was given
    _write_as_tensors(own)
    surgeon = gs.import_onnx(own)
    for _ in range(_PASSES):  # a flattened If may give more to fold
        size = len(surgeon.nodes)
        surgeon.fold_constants(partitioning="recursive", flatten_subgraphs=flatten).cleanup().toposort()
        if len(surgeon.nodes) == size:
            break
    exported: onnx.ModelProto = gs.export_onnx(surgeon, do_type_check=False)
    return exported


def _write_as_tensors(model: onnx.ModelProto) -> None:
    """Writes every Constant of numbers as a tensor: graphsurgeon makes float64 of `value_floats`."""
    for node in all_nodes(model.graph.node):
        value = (
            constant_value(node) if node.op_type == "Constant" and node.domain in ("", "ai.onnx") else None
        )
        if value is not None:
            written = onnx.helper.make_attribute("value", value)
            del node.attribute[:]
            node.attribute.append(written)


def _lacking(model: onnx.ModelProto) -> set[str]:
    """Tensors that nodes read, or that are outputs, and nothing gives."""
    index = GraphIndex(model)
    return {*index.consumers, *index.outputs} - {*index.producer, *index.inputs, *index.initializers}


def _names(values: Iterable[onnx.ValueInfoProto]) -> list[str]:
    return [value.name for value in values]


@contextlib.contextmanager
def _quiet() -> Iterator[io.StringIO]:
    """Collects what graphsurgeon prints; onnxruntime's own warnings are off meanwhile."""
    import onnxruntime

    default, errors_only = 2, 3
    onnxruntime.set_default_logger_severity(errors_only)
    try:
        with contextlib.redirect_stdout(io.StringIO()) as log, contextlib.redirect_stderr(log):
            yield log
    finally:
        onnxruntime.set_default_logger_severity(default)
