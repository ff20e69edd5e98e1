"""Random operators without a seed are told; what is steady, or feeds no output, is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from seed_models import model_of, node, value, weight

from trtdebug.checks.random_operator import run
from trtdebug.core.finding import Finding
from trtdebug.graph.index import GraphIndex
from trtdebug.plugins.types import CheckContext

HALF, NOTHING = weight("ratio", np.float32(0.5)), weight("ratio", np.float32(0))
TRAIN, INFER = weight("train", np.array(True)), weight("train", np.array(False))
DROPOUT = ("Dropout", ["x", "ratio", "train"])


def model(
    op: str, inputs: list[str], *weights: onnx.TensorProto, used: bool = True, **attributes
) -> onnx.ModelProto:
    nodes = [
        node(op, inputs, ["noise"], "draw", **attributes),
        node("Add", ["x", "noise" if used else "x"], ["y"], "add"),
    ]
    return model_of(nodes, [value("x", [2, 4])], [value("y", [2, 4])], list(weights))


def findings(model: onnx.ModelProto) -> list[Finding]:
    return list(run(CheckContext(Path("model.onnx"), model, GraphIndex(model), "fp32")))


@pytest.mark.parametrize(
    "made",
    [
        model("RandomNormal", [], shape=[2, 4]),
        model("RandomUniform", [], shape=[2, 4]),
        model("RandomNormalLike", ["x"]),
        model("RandomUniformLike", ["x"]),
        model("Bernoulli", ["x"]),
        model("Multinomial", ["x"], sample_size=4),
        model(*DROPOUT, HALF, TRAIN),
        model("Dropout", ["x", "", "train"], TRAIN),
    ],
    ids=lambda made: made.graph.node[0].op_type,
)
def test_a_random_operator_without_a_seed(made: onnx.ModelProto) -> None:
    [found] = findings(made)
    assert (found.id, found.severity, found.node) == ("random-operator", "warning", "draw")
    assert f"'draw' is a {made.graph.node[0].op_type}" in found.message
    assert found.mitigation


@pytest.mark.parametrize(
    "made",
    [
        model("RandomNormal", [], shape=[2, 4], seed=1.0),
        model("RandomNormal", [], shape=[2, 4], used=False),
        model(*DROPOUT, HALF, TRAIN, seed=1),
        model(*DROPOUT, HALF, INFER),
        model(*DROPOUT, NOTHING, TRAIN),
        model("Dropout", ["x"]),
        model("RandomNormal", [], domain="nowhere"),
    ],
    ids=[
        "seeded",
        "unused",
        "seeded dropout",
        "inference",
        "drops nothing",
        "by default",
        "of another domain",
    ],
)
def test_what_is_steady_or_of_no_matter(made: onnx.ModelProto) -> None:
    assert findings(made) == []


def test_many_of_a_kind_are_one_finding() -> None:
    made = model("RandomNormalLike", ["x"])
    made.graph.node.insert(1, node("RandomNormalLike", ["noise"], ["more"], "again"))
    made.graph.node[2].input[0] = "more"
    [found] = findings(made)
    assert "(and 1 more)" in found.message


def test_in_a_body_and_in_a_function() -> None:
    made = model("Mine", ["x"], domain="own")
    body = helper.make_function(
        "own",
        "Mine",
        ["a"],
        ["b"],
        [node("RandomNormalLike", ["a"], ["b"], "inner")],
        [helper.make_opsetid("", 17)],
    )
    made.functions.append(body)
    [found] = findings(made)
    assert "'draw' holds a RandomNormalLike" in found.message
