"""What is said of a refused node for which nothing equal is known."""

from __future__ import annotations

import onnx.parser
import pytest

from trtdebug.core.build_error import BuildError
from trtdebug.core.diagnosis import Culprit
from trtdebug.fixes.ladder.helpless import helpless
from trtdebug.graph.names import name_nodes

MODEL = """<ir_version: 8, opset_import: ["" : 17, "my" : 1]> g (bool c, float[2] x) => (float[2] y) {
    a = my.Odd(x)
    y = If(c) <
        then_branch = then () => (float[2] t) { t = my.Odd(a) },
        else_branch = other () => (float[2] o) { o = Neg(a) }
    >
}"""


@pytest.mark.parametrize(
    ("number", "inner", "said"), [(0, False, "Odd {0!r}"), (1, True, "Odd of 't' in {0!r}")]
)
def test_a_node_of_a_body_is_told_by_what_it_writes(number: int, inner: bool, said: str) -> None:
    model = onnx.parser.parse_model(MODEL)
    name_nodes(model)
    top = model.graph.node[number].name
    error = BuildError("parse", "no importer", node="" if inner else top, operator="Odd")
    nodes, inside = (("",), (top,)) if inner else ((top,), ())
    findings = list(helpless(model, [Culprit(nodes, "build", "", inside=inside, error=error)]))
    told = [f.message for f in findings if said.format(top) in f.message]
    assert len(told) == 1, findings
    assert findings[0].node in (top, model.graph.node[0].name)
