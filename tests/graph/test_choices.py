"""Which tensors are indices, and of what."""

from __future__ import annotations

from onnx import TensorProto, helper
from seed_models import mnist, node

from trtdebug.graph.choices import Chosen, chosen_indices


def test_argmax_of_a_classifier():
    assert chosen_indices(mnist().graph) == {"tensor-15": Chosen("tensor-14", 1, False)}


def test_top_k_casts_and_defaults():
    graph = helper.make_graph(
        [
            node("TopK", ["v", "k"], ["best", "where"], "topk", axis=1),
            node("Cast", ["where"], ["narrow"], "cast", to=TensorProto.INT32),
            node("ArgMin", ["v"], ["least"], "argmin"),
            node("Add", ["narrow", "narrow"], ["sum"], "add"),
        ],
        "g",
        [],
        [],
    )
    assert chosen_indices(graph) == {
        "where": Chosen("v", 1, True),
        "narrow": Chosen("v", 1, True),
        "least": Chosen("v", 0, True),
    }
