"""Equal operators in the place of refused ones: those of a table, the body that ONNX itself has for it, or the user's.

Calls of the model's own functions are inlined where one of them is refused, or something in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import onnx

from trtdebug.fixes.ladder.bytes import without_bytes
from trtdebug.fixes.ladder.culprits import Refused, refused
from trtdebug.fixes.ladder.sources import sources
from trtdebug.graph.expand import Call, calls_of, expand
from trtdebug.plugins.rewrites import proposal
from trtdebug.plugins.types import FixContext, FixProposal, FixProposer

COST = 4.0
_DEEPER = 1.0
"""What is added for replacing operators of the bodies, too: more nodes, that no builder knows as one."""
_TAKEN = frozenset(
    {
        "Add",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "Div",
        "Gather",
        "Greater",
        "Identity",
        "If",
        "Less",
        "LogSoftmax",
    }
    | {
        "MatMul",
        "Max",
        "Min",
        "Mul",
        "Neg",
        "Not",
        "Pow",
        "Range",
        "ReduceMean",
        "ReduceSum",
        "Relu",
        "Reshape",
    }
    | {
        "Shape",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Softplus",
        "Split",
        "Squeeze",
        "Sub",
        "Tanh",
        "Transpose",
        "Where",
    }
)
"""Operators in bodies that every parser takes, though ONNX has bodies for some of these, too."""


def replace(context: FixContext) -> Iterator[FixProposal]:
    """The model without functions; without refused operators; and without those of their bodies that have bodies."""
    found = refused(context)
    if found is None:
        return
    if found.is_inlined:
        yield from proposal(context, "the model's functions inlined", found.model, COST - 1)
    shallow = replaced(context, found, found.model)
    if shallow is None:
        return
    model, told = shallow
    yield from proposal(context, told, model, COST)
    deep = _deeper(found.model, model)
    if deep is not None:
        yield from proposal(context, f"{told}, down to the simplest operators", deep, COST + _DEEPER)


def replaced(
    context: FixContext, found: Refused, model: onnx.ModelProto
) -> tuple[onnx.ModelProto, str] | None:
    """The model without what is refused in it, and what was done in words; None where something has to stay."""
    result = expand(model, found.wants, sources(context.case.options.operators))
    if result is None or not found.is_covered(result.calls, result.left):
        return None
    return without_bytes(result.model), f"{told(result.calls)} replaced by equal operators"


def told(calls: tuple[Call, ...]) -> str:
    """These nodes in words: "Det d, 3 Mish"."""
    counted = Counter(call.op for call in calls)
    first = {call.op: call.node.name or call.node.output[0] for call in reversed(calls)}
    return ", ".join(f"{op} {first[op]}" if n == 1 else f"{n} {op}" for op, n in counted.items())


def _deeper(before: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto | None:
    """What is new in the model replaced by bodies, until nothing has one; None where nothing has."""
    old = {call.node.name for call in calls_of(before)}
    last: onnx.ModelProto | None = None
    while (
        more := expand(last or model, lambda c: c.node.name not in old and c.op not in _TAKEN)
    ) is not None:
        last = more.model
    return last


FIX = FixProposer("replace-operators", "equal operators in the place of refused ones", replace)
