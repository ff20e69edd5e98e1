from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import random_graph
from seed_models import model_of, node, omitted_inputs, unsorted_with_dead_ends, value, with_if

from trtdebug.core.errors import UserError
from trtdebug.graph.index import GraphIndex


def test_reads_of_bodies_count() -> None:
    index = GraphIndex(with_if())
    branch = index.node("branch")
    assert branch.has_body
    assert branch.captured == ("doubled", "b", "a")
    assert index.consumers["doubled"] == ("sum", "branch")
    assert index.predecessors("branch") == ("greater", "double")


def test_omitted_inputs_are_no_reads() -> None:
    clip = GraphIndex(omitted_inputs()).node("clip")
    assert clip.inputs == ("a", "", "high")
    assert clip.reads == ("a", "high")


def test_unsorted_files_get_a_topological_order() -> None:
    index = GraphIndex(unsorted_with_dead_ends())
    assert index.order == ("myAdd0", "myAdd1", "myAdd2", "myAdd3", "myIdentity5", "myAdd4")
    assert index.position("myAdd2") == 2
    assert index.tensors[-1] == "tensor6"
    assert index.ancestors(["myAdd3"]) == {"myAdd0", "myAdd1", "myAdd2"}
    assert index.descendants(["myAdd0"]) == {"myAdd1", "myAdd2", "myAdd3"}


def test_initialisers_among_the_inputs_are_no_inputs() -> None:
    model = unsorted_with_dead_ends()
    model.graph.input.append(value("w", [1]))
    assert GraphIndex(model).inputs == ("tensor0", "tensor3")


def test_a_cycle_is_named() -> None:
    model = model_of(
        [
            node("Relu", ["x"], ["a"], "in"),
            node("Add", ["a", "c"], ["b"], "p"),
            node("Neg", ["b"], ["c"], "q"),
        ],
        [value("x", [1])],
        [value("c", [1])],
    )
    with pytest.raises(UserError, match=r"cycle: (p -> q -> p|q -> p -> q)"):
        GraphIndex(model)


def test_an_unknown_node_is_an_error() -> None:
    with pytest.raises(UserError, match="no node 'nobody'"):
        GraphIndex(with_if()).node("nobody")


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 30))
def test_the_order_holds_for_shuffled_files(seed: int, size: int) -> None:
    model = random_graph(seed, size)
    assert GraphIndex(model).order == tuple(f"n{i}" for i in range(size)), "sorted files keep their order"
    nodes = list(model.graph.node)
    random.Random(seed).shuffle(nodes)
    shuffled = model_of(nodes, model.graph.input, model.graph.output, model.graph.initializer)
    index = GraphIndex(shuffled)
    assert set(index.order) == {f"n{i}" for i in range(size)}
    for name in index.order:
        assert all(index.position(before) < index.position(name) for before in index.predecessors(name))
        assert all(name in index.predecessors(after) for after in index.successors(name))


def test_ten_thousand_nodes_are_fast() -> None:
    size = 10_000
    nodes = [node("Add", [f"t{i}", f"t{max(i - 7, 0)}"], [f"t{i + 1}"]) for i in range(size)]
    model = model_of(nodes, [value("t0", [1])], [value(f"t{size}", [1])])
    start = time.perf_counter()
    index = GraphIndex(model)
    assert len(index.ancestors([index.order[-1]])) == size - 1
    assert time.perf_counter() - start < 5
