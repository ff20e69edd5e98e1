"""A model without what is private in it: names of its own, and weights that are random numbers of the same range."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from trtdebug.graph.walk import all_tensors, bodies

Array = NDArray[np.generic]
Spread = Literal["uniform", "normal"]
"""How random numbers lie between the smallest and the largest: evenly, or about the mean as the weights do."""

_FEW = 16
"""Up to so many different values (a mask, say) are drawn from, and none between them."""


@dataclass
class Names:
    """New names that nobody can find the old ones by: hashed with a secret that is not kept."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    given: dict[str, str] = field(default_factory=dict)

    def __call__(self, kind: str, name: str) -> str:
        """The name that stands for this one; "" stays. `kind` begins it, where it is new."""
        if not name:
            return ""
        if name not in self.given:
            code = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), key=self.secret, digest_size=6)
            self.given[name] = f"{kind}_{code.hexdigest()}"
        return self.given[name]


def random_like(array: Array, rng: np.random.Generator, spread: Spread) -> Array:
    """Random numbers in the range of the finite ones of `array`, of its shape and type.

    NaN and Inf keep their places. Integers and bools of rank 0 or 1 stay as they are: they are shapes, axes or
    indices. Of few different values each is drawn as often as any other.
    """
    kind = array.dtype.kind
    if kind not in "fiub" or array.size == 0 or (kind != "f" and array.ndim <= 1):
        return array
    finite = np.isfinite(array) if kind == "f" else np.ones(array.shape, bool)
    values = array[finite]
    if values.size == 0:
        return array
    distinct = np.unique(values)
    if len(distinct) <= _FEW:
        drawn = rng.choice(distinct, values.size)
    elif kind == "f":
        low, high = float(values.min()), float(values.max())
        wide = values.astype(np.float64)
        drawn = (
            low + (high - low) * rng.random(values.size)
            if spread == "uniform"
            else rng.normal(wide.mean(), wide.std(), values.size)
        )
        drawn = np.clip(drawn, low, high)
    else:
        drawn = rng.integers(values.min(), values.max(), values.size, dtype=array.dtype, endpoint=True)
    made: Array = array.copy()
    made[finite] = drawn.astype(array.dtype)
    return made


def anonymous(
    model: onnx.ModelProto, names: Names, change: Callable[[Array], Array] = lambda array: array
) -> onnx.ModelProto:
    """A copy in which every node, tensor and dimension has another name, and weights went through `change`.

    Documentation, metadata and the producer's name are gone. Operators, attributes and structure stay.

    Raises:
        ValueError: the model has functions, whose names belong to it.
    """
    if model.functions:
        raise ValueError("it calls functions, whose names and contents belong to it")
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for cleared in ("producer_name", "producer_version", "domain", "doc_string", "metadata_props"):
        bare.ClearField(cleared)
    for tensor in all_tensors(bare):
        _change(tensor, change)
    _rename(bare.graph, names)
    return bare


def _change(tensor: onnx.TensorProto, change: Callable[[Array], Array]) -> None:
    tensor.ClearField("doc_string")
    if tensor.data_type == onnx.TensorProto.STRING:
        tensor.string_data[:] = [f"s{number}".encode() for number, _ in enumerate(tensor.string_data)]
        return
    array = numpy_helper.to_array(tensor)
    changed = change(array)
    if changed is not array:
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(changed, name))


def _rename(graph: onnx.GraphProto, names: Names) -> None:
    graph.name = "graph"
    for cleared in ("doc_string", "metadata_props", "quantization_annotation"):
        if cleared in graph.DESCRIPTOR.fields_by_name:
            graph.ClearField(cleared)
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = names("t", value.name)
        value.ClearField("doc_string")
        for dim in _dims(value.type):
            if dim.dim_param:
                dim.dim_param = names("d", dim.dim_param)
    for tensor in (*graph.initializer, *(s.values for s in graph.sparse_initializer)):
        tensor.name = names("t", tensor.name)
    for node in graph.node:
        node.name = names("n", f"node {node.name}") if node.name else ""
        node.input[:] = [names("t", n) for n in node.input]
        node.output[:] = [names("t", n) for n in node.output]
        for cleared in ("doc_string", "metadata_props"):
            if cleared in node.DESCRIPTOR.fields_by_name:
                node.ClearField(cleared)
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
            if attribute.HasField("t"):
                attribute.t.ClearField("name")
        for body in bodies(node):
            _rename(body, names)


def _dims(type_: Any) -> Iterable[Any]:
    if type_.HasField("tensor_type"):
        yield from type_.tensor_type.shape.dim
    if type_.HasField("sequence_type"):
        yield from _dims(type_.sequence_type.elem_type)
    if type_.HasField("optional_type"):
        yield from _dims(type_.optional_type.elem_type)
