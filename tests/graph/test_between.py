"""Parts of a graph by their ends, or by a tensor."""

from __future__ import annotations

import onnx
import pytest

from trtdebug.core.errors import UserError
from trtdebug.graph.between import around, between, named
from trtdebug.graph.index import GraphIndex


@pytest.fixture(scope="module")
def index() -> GraphIndex:
    return GraphIndex(_model())


def _model() -> onnx.ModelProto:
    nodes = [
        onnx.helper.make_node("Relu", ["x"], ["p"], "a"),
        onnx.helper.make_node("Neg", ["p"], ["q"], "b.0"),
        onnx.helper.make_node("Abs", ["p"], ["r"], "b..1"),
        onnx.helper.make_node("Add", ["q", "r"], ["s"], "c,d"),
        onnx.helper.make_node("Neg", ["x"], ["t"], "beside"),
        onnx.helper.make_node("Add", ["s", "t"], ["y"], "e"),
    ]
    return onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], []))


def test_a_range_is_all_that_lies_on_a_way(index: GraphIndex) -> None:
    assert between(index, "a", "c,d") == ("a", "b.0", "b..1", "c,d")
    assert between(index, "b.0", "e") == ("b.0", "c,d", "e")
    assert between(index, "a", "a") == ("a",)


def test_ends_that_no_way_joins_are_refused(index: GraphIndex) -> None:
    with pytest.raises(UserError, match=r"no way leads from 'e' to 'a'.*turn them round"):
        between(index, "e", "a")
    with pytest.raises(UserError, match=r"no way leads from 'b\.0' to 'beside'"):
        between(index, "b.0", "beside")
    with pytest.raises(UserError, match="no node 'nowhere'"):
        between(index, "nowhere", "e")


def test_around_a_tensor_are_its_writer_and_its_readers(index: GraphIndex) -> None:
    assert around(index, "p") == ("a", "b.0", "b..1")
    assert around(index, "x") == ("a", "beside")
    assert around(index, "y") == ("e",)
    with pytest.raises(UserError, match="no tensor 'z'"):
        around(index, "z")


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("a", ("a",)),
        ("b..1", ("b..1",)),  # a name, not a range
        ("c,d", ("c,d",)),
        ("a..c,d", ("a", "b.0", "b..1", "c,d")),
        ("b..1..e", ("b..1", "c,d", "e")),
        ("a, beside", ("a", "beside")),
        ("beside..e,a", ("beside", "e", "a")),
        (" ", ()),
    ],
)
def test_nodes_as_a_command_line_names_them(index: GraphIndex, text: str, nodes: tuple[str, ...]) -> None:
    assert named(index, text) == nodes


@pytest.mark.parametrize("text", ["nowhere", "a..nowhere", "..", "a..", "a,nowhere"])
def test_what_names_nothing_is_refused(index: GraphIndex, text: str) -> None:
    with pytest.raises(UserError, match="has no node"):
        named(index, text)
