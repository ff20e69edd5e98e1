"""Where bodies for refused operators come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from trtdebug.core.case import OperatorSource
from trtdebug.fixes.ladder.equivalents import equivalents
from trtdebug.graph.custom import kind_of
from trtdebug.graph.expand import Bodies, Call, schema_bodies
from trtdebug.plugins.operators import IN_FILES, operators_of


def sources(operators: Iterable[OperatorSource]) -> tuple[Bodies, ...]:
    """The table; what ONNX itself has; ONNX functions that the user gave for custom operators.

    The table goes first: it is for operators whose bodies are refused as well.
    """
    return (equivalents, schema_bodies, _given(operators))


def _given(operators: Iterable[OperatorSource]) -> Bodies:
    found = [each for source in operators if source.kind in IN_FILES for each in operators_of(source)]
    functions = {(each.domain, each.op): each.body for each in found if each.body is not None}

    def bodies(call: Call) -> Iterator[onnx.FunctionProto]:
        function = functions.get(kind_of(call.node))
        if function is not None:
            yield function

    return bodies
