"""Types that a tensor must have because of who reads it: what ONNX's inference, which only looks ahead, can't tell.

Behind an operator that nobody knows, inference ends. But a Relu that reads its result writes what it reads, so the
type and shape of its own output, where they are declared, are those of the unknown operator's, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import onnx

from trtdebug.graph.types import Dim, TensorType, tensor_types, value_info, without_weights

Types = Mapping[str, TensorType]
Shape = tuple[Dim, ...]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SAME_SHAPE = _words(
    """Abs Acos Acosh Asin Asinh Atan Atanh BatchNormalization BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh CumSum
    DequantizeLinear Dropout Elu Erf Exp Floor Gelu GroupNormalization HardSigmoid HardSwish Hardmax Identity
    InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization
    MeanVarianceNormalization Mish Neg Not PRelu QuantizeLinear Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin
    Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Trilu"""
)
"""Operators of ONNX whose first output has the shape of the first input."""

_SAME_RANK = _words(
    """AveragePool Concat Conv ConvTranspose GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool Pad
    Resize Slice Tile Transpose Upsample"""
)
"""Operators of ONNX whose first output has the rank of the first input (of each, for Concat)."""

_RANK = {"Gemm": 2, "DepthToSpace": 4, "SpaceToDepth": 4}
"""Operators of ONNX whose first input and first output have this rank."""

_BROADCAST = _words(
    """Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul
    Or Pow Sub Sum Where Xor"""
)
"""Operators of ONNX whose output has the largest of their inputs' ranks."""


def complete_types(
    model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, TensorType]:
    """Types of the top-level graph's tensors: declared, inferred, implied by who reads them. Never guessed.

    Args:
        shapes: of tensors, as the caller knows them; they hold against what the model says.

    Raises:
        UserError: the graph has a cycle.
    """
    given = shapes or {}
    told = without_weights(model)
    types: dict[str, TensorType] = {}
    found = tensor_types(told)
    while found:  # each turn knows something better than the one before
        types |= {n: TensorType(t.dtype, given.get(n, t.shape)) for n, t in found.items()}
        _declare(told, types)
        inferred = tensor_types(told)
        found = {n: t for n, t in inferred.items() if n not in given and _is_better(t, types.get(n))}
        implied = _implied(told, types | found)
        found |= {
            n: t
            for n, t in implied
            if _is_better(t, (types | found).get(n)) and (n not in given or n not in types)
        }
    return types


def _is_better(type_: TensorType, than: TensorType | None) -> bool:
    """Whether a type says more: the rank, or more of the dimensions."""
    if than is None:
        return True
    if type_.dtype != than.dtype or type_.shape is None:
        return False
    if than.shape is None:
        return True
    return len(type_.shape) == len(than.shape) and type_.shape.count(None) < than.shape.count(None)


def _declare(model: onnx.ModelProto, types: Types) -> None:
    """Writes the types into the model: into the value infos, and of the inputs and outputs that have them."""
    graph = model.graph
    ends = {value.name for value in (*graph.input, *graph.output)}
    kept = [value for value in graph.value_info if value.name not in types]
    kept += [value_info(name, type_) for name, type_ in types.items() if name not in ends]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    for value in (*graph.input, *graph.output):
        if value.name in types:
            value.CopyFrom(value_info(value.name, types[value.name]))


def _implied(model: onnx.ModelProto, types: Types) -> Iterator[tuple[str, TensorType]]:
    """What the nodes imply of tensors that they read and write; also what is known already."""
    versions = {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
    for node in model.graph.node:
        domain = node.domain or "ai.onnx"
        schema = _schema(node.op_type, versions.get(domain, 1), node.domain)
        if schema is None:
            continue
        dtypes = dict(_dtypes(node, schema, types))
        yield from ((name, TensorType(dtype, None)) for name, dtype in dtypes.items())
        if domain == "ai.onnx":
            known = {n: types[n].shape for n in (*node.input, *node.output) if n in types}
            for name, shape in _shapes(node, known):
                dtype = types[name].dtype if name in types else dtypes.get(name)
                if dtype is not None:
                    yield name, TensorType(dtype, shape)


@cache
def _schema(op: str, version: int, domain: str) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(op, version, domain)
    except onnx.defs.SchemaError:
        return None


def _dtypes(node: onnx.NodeProto, schema: onnx.defs.OpSchema, types: Types) -> Iterator[tuple[str, str]]:
    """Element types that the operator's signature, with those known, leaves no choice about."""
    sides = [*_with_formal(node.input, schema.inputs), *_with_formal(node.output, schema.outputs)]
    bound = {formal.type_str: types[name].dtype for name, formal in sides if name in types}
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    for name, formal in sides:
        kind = formal.type_str
        only = allowed.get(kind, [kind])
        if name in types:
            continue
        if kind in bound:
            yield name, bound[kind]
        elif len(only) == 1 and only[0].startswith("tensor("):
            text = only[0].removeprefix("tensor(").removesuffix(")")
            yield name, {"float": "float32", "double": "float64"}.get(text, text)


def _with_formal(
    names: Sequence[str], formals: Sequence[onnx.defs.OpSchema.FormalParameter]
) -> Iterator[tuple[str, onnx.defs.OpSchema.FormalParameter]]:
    """The tensors, each with the formal parameter that it stands for; of a mixed variadic one none."""
    for at, name in enumerate(names):
        formal = formals[min(at, len(formals) - 1)] if formals else None
        if name and formal is not None and formal.is_homogeneous:
            yield name, formal


def _shapes(node: onnx.NodeProto, known: Mapping[str, Shape | None]) -> Iterator[tuple[str, Shape]]:
    """Shapes and ranks that the operator carries from its output to its inputs, or the other way."""
    reads, writes = [name for name in node.input if name], [name for name in node.output if name]
    if not reads or not writes or not node.input[0]:
        return
    first, output = reads[0], writes[0]
    if node.op_type in _SAME_SHAPE:
        for here, there in ((first, output), (output, first)):
            shape = known.get(there)
            if shape is not None:
                yield here, shape
    elif node.op_type in _RANK:
        yield from ((name, (None,) * _RANK[node.op_type]) for name in (first, output))
    elif node.op_type in _SAME_RANK or _keeps_rank(node):
        alike = [*reads, output] if node.op_type == "Concat" else [first, output]
        alike += reads[1:2] if node.op_type in ("Conv", "ConvTranspose") else []
        rank = next((len(s) for name in alike if (s := known.get(name)) is not None), None)
        if rank is not None:
            yield from ((name, (None,) * rank) for name in alike)
    elif node.op_type in _BROADCAST and known.get(output) is not None:
        rank = len(known[output] or ())
        unknown = [name for name in reads if known.get(name) is None]
        lower = all(len(known[name] or ()) < rank for name in reads if name not in unknown)
        if len(unknown) == 1 and lower and rank:
            yield unknown[0], (None,) * rank


def _keeps_rank(node: onnx.NodeProto) -> bool:
    """Whether it reduces, and keeps the dimensions that it reduces."""
    keeps = next((bool(a.i) for a in node.attribute if a.name == "keepdims"), True)
    return node.op_type.startswith("Reduce") and keeps
