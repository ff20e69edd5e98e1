"""The same model in double precision: every float32 in it becomes float64."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from trtdebug.graph.fresh import FreshNames, names_in
from trtdebug.graph.mapped import is_mapped

_TYPE_ATTRIBUTES = {"Cast": "to", "EyeLike": "dtype", "RandomNormal": "dtype", "RandomUniform": "dtype"}


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which inputs, outputs, weights, constants and casts of float32 are float64; names stay.

    Float16 and bfloat16 stay as they are: a model that has them computes there in less than float32.
    """
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    _widen_mapped(wide.graph)
    _widen_graph(wide.graph)
    return wide


def _widen_mapped(graph: onnx.GraphProto) -> None:
    """Weights that stay in their files are widened by a Cast each, in the run: under their own names, as the others."""
    names = FreshNames(names_in(graph))
    casts = []
    for tensor in graph.initializer:
        if is_mapped(tensor) and tensor.data_type == TensorProto.FLOAT:
            wide, tensor.name = tensor.name, names.fresh(f"{tensor.name}__float32")
            name = names.fresh(f"{wide}__widen")
            casts.append(helper.make_node("Cast", [tensor.name], [wide], name, to=TensorProto.DOUBLE))
    if casts:
        nodes = [*casts, *graph.node]
        del graph.node[:]
        graph.node.extend(nodes)


def _widen_graph(graph: onnx.GraphProto) -> None:
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        for attribute in node.attribute:
            _widen_attribute(node, attribute)


def _widen_attribute(node: onnx.NodeProto, attribute: onnx.AttributeProto) -> None:
    if attribute.type == AttributeProto.TENSOR:
        _widen_tensor(attribute.t)
    elif attribute.type == AttributeProto.GRAPH:
        _widen_graph(attribute.g)
    elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
        single = attribute.type == AttributeProto.FLOAT
        array = np.array(attribute.f if single else list(attribute.floats), np.float64)
        attribute.CopyFrom(onnx.helper.make_attribute("value", numpy_helper.from_array(array)))
    elif attribute.name == _TYPE_ATTRIBUTES.get(node.op_type) and attribute.i == TensorProto.FLOAT:
        attribute.i = TensorProto.DOUBLE


def _widen_tensor(tensor: onnx.TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT and not is_mapped(tensor):
        array = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
