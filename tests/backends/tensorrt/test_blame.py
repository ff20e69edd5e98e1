"""Whom TensorRT's error messages blame."""

from __future__ import annotations

import pytest

from trtdebug.backends.tensorrt.blame import blamed_node, named_layers

NAMES = ["conv1", "conv1_2", "relu", "add", "a", "/block/Mul", "(Unnamed Layer* 5) [Shuffle]", "node", "for"]


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("10: Could not find any implementation for node conv1 + relu.", ["conv1", "relu"]),
        ("Could not find any implementation for node conv1_2.", ["conv1_2"]),
        ("Could not find any implementation for node conv1 due to insufficient workspace.", ["conv1"]),
        ("Could not find any implementation for node PWN(PWN(a), add).", ["a", "add"]),
        ("Error Code 4: Internal Error (/block/Mul: output 0 cannot be of type Half)", ["/block/Mul"]),
        ("No implementation of layer (Unnamed Layer* 5) [Shuffle] obeys the requested constraints",
         ["(Unnamed Layer* 5) [Shuffle]"]),
        ("3: (Unnamed Layer* 5) [Shuffle]: cannot use precision Half for layer that computes indices",
         ["(Unnamed Layer* 5) [Shuffle]"]),
        ("Error Code 4: Internal Error (Layer (Unnamed Layer* 5) [Shuffle] failed validation)",
         ["(Unnamed Layer* 5) [Shuffle]"]),
        ("fp16 precision has been set for a layer or layer output, but fp16 is not configured", []),
        ("implementation for node {ForeignNode[conv1...relu]}.", []),
        ("implementation for node {ForeignNode[conv1]}.", ["conv1"]),
        ("implementation for node conv10.", []),
        ("implementation for node helper_7 + relu.", ["relu"]),
        ("something else about relu, a surprise", []),
    ],
)  # fmt: skip
def test_layers_are_found_by_their_whole_names_where_a_name_is_told(message: str, named: list[str]) -> None:
    assert list(named_layers([message], NAMES)) == named


def test_each_layer_is_named_once_in_order() -> None:
    assert named_layers(["for node relu.", "for node conv1 + relu."], NAMES) == ("relu", "conv1")
    assert named_layers(["for node relu."], []) == ()


@pytest.mark.parametrize(
    ("error", "node"),
    [
        ("10: Could not find any implementation for node fc1_layer + relu.", "fc1"),
        (
            "Error Code 10: Could not find any implementation for node relu due to insufficient workspace.",
            "relu",
        ),
        ("10: Could not find any implementation for node {ForeignNode[fc1_layer...relu]}.", None),
        ("something else", None),
    ],
)
def test_build_errors_blame_a_node_where_they_name_one(error: str, node: str | None) -> None:
    assert blamed_node([error], {"fc1_layer": "fc1", "relu": "relu"}) == node
