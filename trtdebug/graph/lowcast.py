"""Cast surgery: a model in which chosen nodes really compute in float16 or bfloat16, all others in float32.

This is how precision is said to a strongly typed TensorRT (by choice in 10.x, always in 11). A tensor keeps
its own name for its float32 form; the low form is called `<tensor>__fp16` (`__bf16`) and exists only where
somebody needs it. So graph inputs and outputs, and what bodies of If, Loop and Scan capture, keep their names
and types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, defs, helper, numpy_helper

from trtdebug.core.errors import UserError
from trtdebug.core.intervention import LowPrecision
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.types import tensor_types
from trtdebug.graph.walk import bodies, captured

_ONNX = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
_NUMPY = {"fp16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}
_SCHEMA_TYPE = {"fp16": "tensor(float16)", "bf16": "tensor(bfloat16)"}

# Ops that stay in float32.
_NEVER = frozenset(
    {
        # weights: converted for each reader that wants them so
        "Constant",
        # quantisation: scales are float32 up to opset 18
        *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
        # generators: another type draws other numbers, or an attribute says the type
        *(
            "RandomNormal",
            "RandomNormalLike",
            "RandomUniform",
            "RandomUniformLike",
            "Bernoulli",
            "Multinomial",
        ),
        *("EyeLike", "HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix"),
        # sequences and optionals hold tensors that no cast reaches
        *("SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert"),
        *("SequenceLength", "SequenceMap", "SplitToSequence", "ConcatFromSequence"),
        *("Optional", "OptionalGetElement", "OptionalHasElement"),
    }
)
# Read any type and give none of it on: no cast for them.
_TYPE_BLIND = frozenset({"Shape", "Size"})
# Type variables that stay float32 in an op that is otherwise lowered: the region of Resize, and the
# statistics of LayerNormalization, whose type is stash_type's.
_FIXED_VARIABLES = {"Resize": {"T2"}, "LayerNormalization": {"U"}}


def mixed_precision(model: onnx.ModelProto, low: Iterable[str], dtype: LowPrecision) -> onnx.ModelProto:
    """A copy of `model` in which the nodes of `low` compute in `dtype` and all others in float32.

    Low nodes read float32 tensors through Casts (one a tensor) and weights converted; beyond the range of
    `dtype` both become Inf. Nodes that cannot work in `dtype` (see `lowerable`) stay in float32. Tensors that
    are not float32 in `model` are left as they are. Nodes keep their names and stand in topological order;
    names, types and order of graph inputs and outputs, opset and IR version stay.

    Args:
        model: nodes named.
        low: node names of the top-level graph.

    Raises:
        UserError: a name of `low` is no node of the graph.
    """
    surgery = _Surgery(model, lowerable(model, low, dtype), dtype)
    return surgery.run()


def lowerable(model: onnx.ModelProto, nodes: Iterable[str], dtype: LowPrecision) -> frozenset[str]:
    """Those of `nodes` that compute in `dtype` after `mixed_precision`.

    Left out: constants (their readers get them converted), nodes without a float32 tensor, control flow, ops
    that ONNX does not define for `dtype` in the model's opset, ops of other domains, ops with a tensor of
    unknown type.

    Raises:
        UserError: a name of `nodes` is no node of the graph.
    """
    wanted = set(nodes)
    missing = wanted - {n.name for n in model.graph.node}
    if missing:
        raise UserError(
            f"no node named {sorted(missing)[0]!r} in the model's top-level graph.",
            "`trtdebug inspect MODEL` lists the names.",
        )
    types = {name: info.dtype for name, info in tensor_types(model).items()}
    opsets = _opsets(model)
    return frozenset(
        n.name for n in model.graph.node if n.name in wanted and any(_lowered_slots(n, opsets, types, dtype))
    )


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    return {("" if o.domain == "ai.onnx" else o.domain): o.version for o in model.opset_import}


def _lowered_slots(
    node: onnx.NodeProto, opsets: Mapping[str, int], types: Mapping[str, str], dtype: LowPrecision
) -> tuple[frozenset[int], frozenset[int]]:
    """Indices of inputs and of outputs that change type when `node` is lowered; both empty: it can't be."""
    none: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
    domain = "" if node.domain == "ai.onnx" else node.domain
    if domain or node.op_type in _NEVER | _TYPE_BLIND or any(True for _ in bodies(node)) or "" not in opsets:
        return none
    try:
        schema = defs.get_schema(node.op_type, opsets[""], "")
    except defs.SchemaError:
        return none
    fixed = _FIXED_VARIABLES.get(node.op_type, set())
    switchable = {
        c.type_param_str
        for c in schema.type_constraints
        if _SCHEMA_TYPE[dtype] in c.allowed_type_strs and c.type_param_str not in fixed
    }
    inputs: set[int] = set()
    outputs: set[int] = set()
    sides = ((node.input, schema.inputs, inputs), (node.output, schema.outputs, outputs))
    for names, formals, chosen in sides:
        for index, name in enumerate(names):
            variable = formals[min(index, len(formals) - 1)].type_str
            if not name or variable not in switchable:
                continue
            if name not in types:
                return none
            if types[name] == "float32":
                chosen.add(index)
    return frozenset(inputs), frozenset(outputs)


def _constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The float32 value of a Constant node; None for other nodes and types."""
    for attribute in node.attribute if node.op_type == "Constant" else []:
        if attribute.name == "value" and attribute.t.data_type == TensorProto.FLOAT:
            value: onnx.TensorProto = attribute.t
            return value
        if attribute.name == "value_float":
            return numpy_helper.from_array(np.asarray(attribute.f, np.float32))
        if attribute.name == "value_floats":
            return numpy_helper.from_array(np.asarray(attribute.floats, np.float32))
    return None


class _Surgery:
    def __init__(self, model: onnx.ModelProto, low: frozenset[str], dtype: LowPrecision) -> None:
        self.types = {name: info.dtype for name, info in tensor_types(model).items()}
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.graph, self.low, self.dtype = self.model.graph, low, dtype
        self.opsets = _opsets(model)
        fed = {i.name for i in self.graph.input}
        self.weights = {i.name: i for i in self.graph.initializer if i.name not in fed}
        self.weights |= {n.output[0]: held for n in self.graph.node if (held := _constant(n)) is not None}
        self.new_weights: list[onnx.TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []
        self.tensors = set(self.types) | fed | set(self.weights)
        self.tensors |= {name for n in self.graph.node for name in (*n.input, *n.output)}
        self.node_names = {n.name for n in self.graph.node}
        self.low_form: dict[str, str] = {}
        self.full = fed | {i.name for i in self.graph.initializer}
        self.full |= {s.values.name for s in self.graph.sparse_initializer}

    def run(self) -> onnx.ModelProto:
        by_name = {n.name: n for n in self.graph.node}
        for node in [by_name[name] for name in GraphIndex(self.model).order]:
            for name in captured(node):
                self.read_full(name)
            if node.name in self.low:
                self.lower(node)
            else:
                if node.op_type not in _TYPE_BLIND:
                    for name in node.input:
                        self.read_full(name)
                else:
                    self.read_any(node)
                self.nodes.append(node)
                self.full.update(node.output)
        for output in self.graph.output:
            self.read_full(output.name)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        self.finish_weights()
        self.finish_value_infos()
        return self.model

    def lower(self, node: onnx.NodeProto) -> None:
        inputs, outputs = _lowered_slots(node, self.opsets, self.types, self.dtype)
        for index, name in enumerate(node.input):
            if index in inputs:
                node.input[index] = self.read_low(name)
            else:
                self.read_full(name)
        for index, name in enumerate(node.output):
            if index in outputs:
                self.low_form[name] = self.fresh_tensor(name)
                node.output[index] = self.low_form[name]
            else:
                self.full.add(name)
        if outputs:
            self.retype_attributes(node)
        self.nodes.append(node)

    def retype_attributes(self, node: onnx.NodeProto) -> None:
        """Ops whose output type stands in an attribute."""
        if node.op_type == "Cast":
            for attribute in node.attribute:
                if attribute.name == "to":
                    attribute.i = _ONNX[self.dtype]
        elif node.op_type == "ConstantOfShape":
            value = next((a.t for a in node.attribute if a.name == "value"), None)
            filled = numpy_helper.from_array(np.zeros(1, np.float32)) if value is None else value
            del node.attribute[:]
            node.attribute.append(helper.make_attribute("value", self.converted(filled, filled.name)))

    def read_low(self, name: str) -> str:
        if name not in self.low_form:
            self.low_form[name] = self.fresh_tensor(name)
            if name in self.weights:
                self.new_weights.append(self.converted(self.weights[name], self.low_form[name]))
            else:
                self.cast(name, self.low_form[name], _ONNX[self.dtype])
        return self.low_form[name]

    def read_full(self, name: str) -> None:
        if name and name not in self.full and name in self.low_form:
            self.cast(self.low_form[name], name, TensorProto.FLOAT)
            self.full.add(name)

    def read_any(self, node: onnx.NodeProto) -> None:
        for index, name in enumerate(node.input):
            if name not in self.full and name in self.low_form:
                node.input[index] = self.low_form[name]

    def cast(self, source: str, target: str, to: int) -> None:
        name = _fresh(f"cast_{target}", self.node_names)
        self.nodes.append(helper.make_node("Cast", [source], [target], name, to=to))

    def converted(self, weight: onnx.TensorProto, name: str) -> onnx.TensorProto:
        with np.errstate(over="ignore"):
            values = numpy_helper.to_array(weight).astype(_NUMPY[self.dtype])
        raw = values.view(np.uint16).astype("<u2").tobytes()
        return TensorProto(name=name, dims=values.shape, data_type=_ONNX[self.dtype], raw_data=raw)

    def finish_weights(self) -> None:
        """Adds the converted weights and drops the float32 ones that nobody reads any more."""
        read = {name for n in self.nodes for name in (*n.input, *captured(n))}
        read |= {o.name for o in self.graph.output}
        replaced = {name for name in self.low_form if name in self.weights and name not in read}
        kept = [w for w in self.graph.initializer if w.name not in replaced]
        nodes = [n for n in self.graph.node if not (n.op_type == "Constant" and n.output[0] in replaced)]
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        del self.graph.initializer[:]
        self.graph.initializer.extend([*kept, *self.new_weights])

    def finish_value_infos(self) -> None:
        """Drops what is said of tensors that are gone."""
        alive = {name for n in self.nodes for name in (*n.input, *n.output)}
        kept = [v for v in self.graph.value_info if v.name in alive]
        del self.graph.value_info[:]
        self.graph.value_info.extend(kept)

    def fresh_tensor(self, name: str) -> str:
        return _fresh(f"{name}__{self.dtype}", self.tensors)


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
