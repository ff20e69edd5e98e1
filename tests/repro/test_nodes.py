"""Which nodes a repro holds."""

from __future__ import annotations

import onnx
import pytest

from trtdebug.core.errors import UserError
from trtdebug.graph.index import GraphIndex
from trtdebug.repro.nodes import choose_nodes, connect_nodes, with_readers


def index_of(text: str) -> GraphIndex:
    """Index of a graph given as "a = f(x)" lines; a node bears the name of what it writes."""
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[4] x) => (float[4] end) {{ {text} }}'
    )
    for node in model.graph.node:
        node.name = node.output[0]
    return GraphIndex(model)


CHAIN = index_of("a = Abs(x) b = Abs(a) c = Abs(b) d = Abs(c) e = Abs(d) end = Abs(e)")
DIAMOND = index_of(
    "l = Neg(x) r = Abs(x) l2 = Exp(l) r2 = Exp(r) m = Add(l2, r2) c = Sqrt(m) end = Div(m, c)"
)


def test_culprits_that_feed_each_other_are_one_piece_in_topological_order() -> None:
    assert choose_nodes(CHAIN, ["d", "c", "b"]) == ("b", "c", "d")


def test_one_healthy_node_between_is_taken_along() -> None:
    assert choose_nodes(CHAIN, ["b", "d"]) == ("b", "c", "d")


def test_two_healthy_nodes_between_part_the_clusters_and_the_first_is_chosen() -> None:
    assert choose_nodes(CHAIN, ["d", "a"]) == ("a",)
    assert choose_nodes(CHAIN, ["end", "e", "a", "b"]) == ("a", "b")


def test_a_direct_way_needs_no_bridge() -> None:
    assert choose_nodes(DIAMOND, ["m", "end"]) == ("m", "end")


def test_the_first_cluster_grows_against_the_data_too() -> None:
    assert choose_nodes(DIAMOND, ["l2", "r2", "m"]) == ("l2", "r2", "m")


def test_parallel_branches_are_no_cluster_but_can_be_connected() -> None:
    assert choose_nodes(DIAMOND, ["l2", "r2"]) == ("l2",)
    assert connect_nodes(DIAMOND, ["r2", "l2"]) == ("l2", "r2", "m")


def test_connecting_takes_the_shortest_way() -> None:
    assert connect_nodes(CHAIN, ["a", "d"]) == ("a", "b", "c", "d")
    assert connect_nodes(DIAMOND, ["l2", "end"]) == ("l2", "m", "end")


def test_what_nothing_connects_stands_side_by_side() -> None:
    apart = index_of("a = Abs(x) end = Neg(x)")
    assert connect_nodes(apart, ["end", "a"]) == ("a", "end")


@pytest.mark.parametrize("choose", [choose_nodes, connect_nodes])
def test_no_culprits_and_unknown_culprits(choose) -> None:
    with pytest.raises(ValueError, match="no culprits"):
        choose(CHAIN, [])
    with pytest.raises(UserError, match="nowhere"):
        choose(CHAIN, ["nowhere"])


def test_readers_come_along_one_generation_at_a_time() -> None:
    assert with_readers(DIAMOND, ["l2"]) == ("l2", "m")
    assert with_readers(DIAMOND, with_readers(DIAMOND, ["l2"])) == ("l2", "m", "c", "end")
    assert with_readers(DIAMOND, ["end"]) == ("end",)
