"""Pins name nodes of the top-level graph; what lies in a body is refused by name, with the node that holds it."""

from __future__ import annotations

import pytest
from seed_models import with_if

from trtdebug.backends.pins import check_pins
from trtdebug.core.errors import BuildFailure


def test_nodes_of_the_graph_can_be_pinned() -> None:
    check_pins(["double", "branch"], with_if(), "m.onnx")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nope", "'nope', which is no node of m.onnx"),
        ("then_add", "'then_add', which lies in a body of 'branch'. Pin 'branch'"),
    ],
)
def test_others_are_refused_by_name(name: str, says: str) -> None:
    with pytest.raises(BuildFailure, match=says):
        check_pins(["double", name], with_if(), "m.onnx")
