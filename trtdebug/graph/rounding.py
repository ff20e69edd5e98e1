"""Emulation of low-precision kernels: a model whose chosen nodes round what they read and what they store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import LowPrecision
from trtdebug.graph.types import tensor_types

_ONNX = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
_NUMPY = {"fp16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}


def round_nodes(
    model: onnx.ModelProto,
    low: Iterable[str],
    dtype: LowPrecision,
    dtypes: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """A copy of `model` in which the nodes of `low` work as a kernel of precision `dtype` would.

    Such a node reads its float32 inputs and weights rounded to `dtype` and stores its float32 outputs rounded,
    with overflow to Inf; inside it computes in float32. All other nodes work in float32 on what they are given.
    Names of nodes, tensors, inputs and outputs stay, so results compare by name. Bodies of If, Loop and Scan are
    not cut into: only what goes in by name and what comes out is rounded.

    Args:
        model: nodes named, top-level graph in any order that onnxruntime takes.
        low: node names. Names that are not in the graph raise KeyError.
        dtypes: numpy dtype name per tensor; by default from ONNX shape inference.

    Raises:
        KeyError: a name of `low` is no node of the graph.
        BuildFailure: the type of a tensor that would have to be rounded is unknown.
    """
    known = dtypes if dtypes is not None else {t: i.dtype for t, i in tensor_types(model).items()}
    chosen = set(low)
    missing = chosen - {n.name for n in model.graph.node}
    if missing:
        raise KeyError(f"no node named {sorted(missing)[0]!r}")
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    _Rounder(rounded.graph, chosen, dtype, known).run()
    return rounded


class _Rounder:
    def __init__(
        self, graph: onnx.GraphProto, low: set[str], dtype: LowPrecision, dtypes: Mapping[str, str]
    ) -> None:
        self.graph, self.low, self.dtype, self.dtypes = graph, low, dtype, dtypes
        self.weights = {i.name: i for i in graph.initializer}
        self.stored_low = {o for n in graph.node if n.name in low for o in n.output}
        self.variants: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.taken = set(dtypes) | set(self.weights)

    def run(self) -> None:
        for node in list(self.graph.node):
            if node.name in self.low:
                inputs = [self.read(t) for t in node.input]
                del node.input[:]
                node.input.extend(inputs)
                after = [self.store(node, i) for i, t in enumerate(node.output) if self.is_float(t)]
                self.nodes.append(node)
                for pair in after:
                    self.nodes.extend(pair)
            else:
                self.nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)

    def is_float(self, tensor: str) -> bool:
        if not tensor:
            return False
        if tensor not in self.dtypes:
            raise BuildFailure(f"the type of tensor {tensor!r} is unknown, so it cannot be rounded.")
        return self.dtypes[tensor] == "float32"

    def read(self, tensor: str) -> str:
        """Name under which a low node reads `tensor`."""
        if not self.is_float(tensor) or tensor in self.stored_low:
            return tensor
        if tensor not in self.variants:
            name = self.fresh(f"{tensor}__{self.dtype}")
            if tensor in self.weights:
                self.graph.initializer.append(_rounded(self.weights[tensor], name, self.dtype))
            else:
                self.nodes.extend(self.casts(tensor, name))
            self.variants[tensor] = name
        return self.variants[tensor]

    def store(self, node: onnx.NodeProto, index: int) -> list[onnx.NodeProto]:
        """Makes output `index` of a low node be stored rounded under its own name."""
        name = node.output[index]
        node.output[index] = self.fresh(f"{name}__full")
        return self.casts(node.output[index], name)

    def casts(self, source: str, target: str) -> list[onnx.NodeProto]:
        middle = self.fresh(f"{target}__stored")
        return [
            helper.make_node(
                "Cast", [source], [middle], self.fresh(f"{target}__round"), to=_ONNX[self.dtype]
            ),
            helper.make_node(
                "Cast", [middle], [target], self.fresh(f"{target}__widen"), to=TensorProto.FLOAT
            ),
        ]

    def fresh(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def _rounded(weight: onnx.TensorProto, name: str, dtype: LowPrecision) -> onnx.TensorProto:
    with np.errstate(over="ignore"):
        values = numpy_helper.to_array(weight).astype(_NUMPY[dtype]).astype(np.float32)
    return numpy_helper.from_array(values, name)
