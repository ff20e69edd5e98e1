"""Calls of a model's own functions, replaced by what they compute; which node comes of which call is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import onnx
from onnx import inliner

from trtdebug.graph.custom import OperatorKind
from trtdebug.graph.fresh import FreshNames, names_in
from trtdebug.graph.function_calls import FunctionKey, called_by, give_defaults, key_of, with_open_defaults
from trtdebug.graph.walk import all_nodes


@dataclass(frozen=True)
class Inlined:
    """A model without calls.

    Attributes:
        model: nodes named; one that comes of a call is called "call/name in the function". Other nodes, and tensors
            of the top-level graph, keep their names.
        callers: node of `model` -> the call that it comes of, a node of the model given.
        left: nodes of the model given that are, or hold, a call that could not be replaced; in its order.
    """

    model: onnx.ModelProto
    callers: Mapping[str, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()

    def caller(self, name: str) -> str:
        """The node of the model given that this one comes of: the call, or the node itself."""
        return self.callers.get(name, name)

    def of(self, names: Iterable[str]) -> set[str]:
        """The nodes that come of these nodes of the model given."""
        wanted = set(names)
        return {n.name for n in self.model.graph.node if self.caller(n.name) in wanted}


def inlined(model: onnx.ModelProto, whole: Collection[OperatorKind] = ()) -> Inlined:
    """The model with the bodies of its functions in the place of calls, nested ones too.

    A call is left where its function needs another version of an operator set than the model, hands an input
    straight to an output, gives one tensor twice, or is called elsewhere with an attribute that may have no value.

    Args:
        model: nodes named. It stays as it is.
        whole: functions whose calls stay, and count as nodes like others.
    """
    own = {key_of(f): f for f in model.functions if (f.domain, f.name) not in whole}
    if not own:
        return Inlined(model)
    light = _without_initializers(model)
    hard = with_open_defaults(model)
    light.functions.extend(f for key, f in own.items() if key not in hard and _is_plain(f))
    give_defaults(light)
    flat: onnx.ModelProto = inliner.inline_local_functions(light)
    stay = {key_of(f) for f in model.functions} - {key_of(f) for f in light.functions}
    stay |= {key_of(f) for f in flat.functions}
    del flat.graph.initializer[:], flat.functions[:]
    flat.graph.initializer.extend(model.graph.initializer)
    flat.functions.extend(f for f in model.functions if key_of(f) in stay)
    callers = _named(model, flat, {key: f for key, f in own.items() if key not in stay})
    left = {
        callers.get(node.name, node.name)
        for node in flat.graph.node
        if any(called_by(n) in own for n in all_nodes([node]))
    }
    return Inlined(flat, callers, tuple(n.name for n in model.graph.node if n.name in left))


def _named(
    model: onnx.ModelProto, flat: onnx.ModelProto, gone: Mapping[FunctionKey, onnx.FunctionProto]
) -> dict[str, str]:
    """Names what comes of calls, in place; node -> call. The nodes of a call stand where it stood."""
    names = FreshNames({*names_in(model.graph), *names_in(flat.graph)})
    origins = (
        call.name if called_by(call) in gone else None for call in model.graph.node for _ in _flat(call, gone)
    )
    callers = {}
    for node, call in zip(flat.graph.node, origins, strict=True):
        if call is not None:
            node.name = names.fresh(f"{call}/{node.name or node.op_type}")
            callers[node.name] = call
    return callers


def _flat(node: onnx.NodeProto, gone: Mapping[FunctionKey, onnx.FunctionProto]) -> Iterable[onnx.NodeProto]:
    """The nodes that inlining makes of this one, as they stand in functions."""
    function = gone.get(called_by(node))
    if function is None:
        yield node
    else:
        for inner in function.node:
            yield from _flat(inner, gone)


def _without_initializers(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose initialisers have no values, so that it can be handed over however large they are; no functions.

    The nodes keep all of theirs, which `without_weights` takes from large constants: they come back in the result.
    """
    light = onnx.ModelProto(ir_version=model.ir_version)
    light.opset_import.extend(model.opset_import)
    light.metadata_props.extend(model.metadata_props)
    graph = light.graph
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    graph.value_info.extend(model.graph.value_info)
    graph.sparse_initializer.extend(model.graph.sparse_initializer)
    for tensor in model.graph.initializer:
        graph.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    return light


def _is_plain(function: onnx.FunctionProto) -> bool:
    """Whether each output is a tensor of its own, that a node writes; others ONNX inlines wrongly."""
    outputs = set(function.output)
    return len(outputs) == len(function.output) and outputs.isdisjoint(function.input)
