"""Which ONNX nodes an engine layer computes."""

from __future__ import annotations

import numpy as np
import pytest
from engine_json import FP16, FP32, TRT8, layer, metadata, tensor
from onnx import helper, numpy_helper

from trtdebug.backends.tensorrt.engine_nodes import nodes_inside, nodes_of
from trtdebug.backends.tensorrt.inspect import EngineDump, EngineLayer, parse_dump
from trtdebug.graph.index import GraphIndex

NODES = {"conv1", "relu1", "mean", "divide", "fc1", "bias"}


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("conv1 + relu1", ("conv1", "relu1")),
        ("PWN(PWN(mean), divide)", ("mean", "divide")),
        ("conv1 + PWN(relu1)", ("conv1", "relu1")),
        ("fc1 || bias", ("fc1", "bias")),
        ("conv1 [profile 1]", ("conv1",)),
        ("{ForeignNode[mean]}", ("mean",)),
        ("{ForeignNode[mean...divide]}", ()),
        ("gemm_3 + relu1", ("fc1", "relu1")),
        ("conv1 + ONNXTRT_Broadcast", ("conv1",)),
        ("Reformatting CopyNode for Output Tensor 0 to conv1", ()),
        ("(Unnamed Layer* 4) [Shuffle]", ()),
    ],
)
def test_nodes_from_layer_names(name: str, nodes: tuple[str, ...]) -> None:
    assert nodes_of(EngineLayer(name), NODES, {"gemm_3": "fc1"}) == nodes


@pytest.mark.parametrize("joint", ["\x1e", "\x1f"])
def test_metadata_before_names(joint: str) -> None:
    told = EngineLayer("conv1", metadata=metadata("fc1", "bias", "not_in_the_model", joint=joint))
    assert nodes_of(told, NODES, {}) == ("fc1", "bias")


def test_without_the_model_only_metadata_tells() -> None:
    text = "[ONNX Layer: /a/MatMul | Local Function: f]\x1f[ONNX Layer: /a/Add]"
    assert nodes_of(EngineLayer("__myl_Fc", metadata=text), None, {}) == ("/a/MatMul", "/a/Add")
    assert nodes_of(EngineLayer("conv1 + relu1"), None, {}) == ()


def graph() -> GraphIndex:
    """conv1 -> relu1 -> (mean, square) -> divide -> y, and side reads x."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w"], ["c"], "conv1"),
        node("Relu", ["c"], ["r"], "relu1"),
        node("ReduceMean", ["r"], ["m"], "mean"),
        node("Mul", ["m", "two"], ["s"], "square"),
        node("Div", ["r", "s"], ["y"], "divide"),
        node("Abs", ["x"], ["z"], "side"),
    ]
    value = helper.make_tensor_value_info
    weights = [numpy_helper.from_array(np.ones(1, np.float32), name) for name in ("w", "two")]
    made = helper.make_graph(nodes, "g", [value("x", 1, None)], [value("y", 1, None)], weights)
    return GraphIndex(helper.make_model(made))


def test_a_block_that_names_its_ends_holds_at_most_what_lies_between_its_tensors() -> None:
    dump = parse_dump(TRT8)
    assert nodes_inside(dump.layers[2], dump, graph()) == ("mean", "square", "divide")


def block(inputs: list[str], outputs: list[str]) -> EngineLayer:
    from json import dumps

    entry = layer(
        "{ForeignNode[a...b]}",
        "Myelin",
        [tensor(t, FP16) for t in inputs],
        [tensor(t, FP32) for t in outputs],
    )
    return parse_dump(dumps({"Layers": [entry]})).layers[0]


def reformat(original: str, copy: str) -> EngineLayer:
    from json import dumps

    name = f"Reformatting CopyNode for {copy}"
    entry = layer(name, "Reformat", [tensor(original, FP32)], [tensor(copy, FP16)])
    return parse_dump(dumps({"Layers": [entry]})).layers[0]


def test_reformatted_borders_are_followed_to_the_tensors_of_the_model() -> None:
    wanted = block(["Reformatted Input Tensor 0 to B"], ["Reformatted Output Tensor 0 to B"])
    dump = EngineDump(
        (
            reformat("r", "Reformatted Input Tensor 0 to B"),
            wanted,
            reformat("Reformatted Output Tensor 0 to B", "y"),
        )
    )
    assert nodes_inside(wanted, dump, graph()) == ("mean", "square", "divide")


def test_an_output_that_is_itself_copied_on_is_not_followed_further() -> None:
    wanted = block(["x"], ["r"])
    dump = EngineDump((wanted, reformat("r", "Reformatted Input Tensor 0 to next")))
    assert nodes_inside(wanted, dump, graph()) == ("conv1", "relu1")


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (["(Unnamed Layer* 3) [Shuffle]_output"], ["y"]),  # would run on to the model's input
        (["r"], ["__myln_k_arg__bb1_3"]),
    ],
)
def test_borders_that_are_not_of_the_model_bound_nothing(inputs: list[str], outputs: list[str]) -> None:
    wanted = block(inputs, outputs)
    assert nodes_inside(wanted, EngineDump((wanted,)), graph()) == ()
