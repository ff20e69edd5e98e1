from __future__ import annotations

import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from seed_models import model_of, node, value

from trtdebug.graph.names import name_nodes, node_names


def chain(names: list[str]) -> onnx.ModelProto:
    nodes = [node("Relu", [f"t{i}"], [f"t{i + 1}"], name) for i, name in enumerate(names)]
    return model_of(nodes, [value("t0", [1])], [value(f"t{len(names)}", [1])])


def test_unnamed_nodes_are_called_after_their_first_output() -> None:
    model = chain(["", "a", ""])
    model.graph.node.append(node("LSTM", ["x", "w", "r"], ["", "h"]))
    assert node_names(model) == ["node_of_t1", "a", "node_of_t3", "node_of_h"]


def test_duplicates_get_the_first_free_number() -> None:
    assert node_names(chain(["a", "a", "a_1", "a"])) == ["a", "a_2", "a_1", "a_3"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", "a", "b", "a_1", "a_2", "node_of_t1"]), max_size=12))
def test_names_are_unique_and_stay(names: list[str]) -> None:
    model = chain(names)
    name_nodes(model)
    given_names = [made.name for made in model.graph.node]
    assert len(set(given_names)) == len(names)
    assert all(given_names)
    name_nodes(model)
    assert [made.name for made in model.graph.node] == given_names
