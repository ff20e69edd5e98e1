"""What to say where nothing equal is known: of models that nothing that was tried makes build."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from trtdebug.core.case import OperatorSource
from trtdebug.core.diagnosis import Culprit
from trtdebug.core.finding import Finding
from trtdebug.fixes.ladder.culprits import refused_of
from trtdebug.fixes.ladder.sources import sources
from trtdebug.graph.expand import Call, calls_of, expand


def helpless(
    model: onnx.ModelProto, culprits: Iterable[Culprit], operators: Iterable[OperatorSource] = ()
) -> Iterator[Finding]:
    """A finding for each refused node that no rung of the ladder but the last has anything for."""
    found = refused_of(model, culprits)
    if found is None:
        return
    done = expand(found.model, found.needs, sources(operators))
    left = done.left if done is not None else (call for call in calls_of(found.model) if found.needs(call))
    for call in left:
        name = call.holders[0] if call.holders else call.node.name
        yield Finding(
            "no-equivalent",
            "info",
            f"no other operators are known that compute what {_told(call)} does, whatever its inputs",
            name,
            f"Export the model without it, or write a plugin: `trtdebug plugin-stub MODEL {name}` begins one.",
        )


def _told(call: Call) -> str:
    """A node of a body need have no name: it is told by what it writes."""
    node = call.node
    which = f"{call.op} {node.name!r}" if node.name else f"{call.op} of {next(iter(node.output), '')!r}"
    return f"{which} in {call.holders[0]!r}" if call.holders else which
