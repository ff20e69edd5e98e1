"""ONNX nodes from TensorRT's layer names and metadata."""

from __future__ import annotations

from trtdebug.backends.tensorrt.layers import LayerFacts, layer_names, metadata_nodes, owners

NODES = {"conv", "gemm", "a | b", "odd]name", "node_7"}


def test_fused_metadata_is_split_on_both_separators() -> None:
    text = "[ONNX Layer: conv]\x1e[ONNX Layer: gemm]\x1f[ONNX Layer: conv]"
    assert metadata_nodes(text, NODES) == ("conv", "gemm")


def test_local_functions_and_awkward_names() -> None:
    assert metadata_nodes("[ONNX Layer: conv | Local Function: block]", NODES) == ("conv",)
    assert metadata_nodes("[ONNX Layer: a | b]", NODES) == ("a | b",)
    assert metadata_nodes("[ONNX Layer: odd]name]", NODES) == ("odd]name",)


def test_unknown_names_and_empty_metadata_say_nothing() -> None:
    assert metadata_nodes("[ONNX Layer: other]", NODES) == ()
    assert metadata_nodes("", NODES) == ()


def test_all_layers_of_a_node_belong_to_it_and_helpers_to_nobody() -> None:
    layers = [
        LayerFacts(0, "MATRIX_MULTIPLY", "gemm", "[ONNX Layer: gemm]"),
        LayerFacts(1, "ELEMENTWISE", "gemm_12"),
        LayerFacts(2, "SHUFFLE", "ONNXTRT_Broadcast_3"),
        LayerFacts(3, "CONSTANT", "(Unnamed Layer* 3) [Constant]"),
        LayerFacts(4, "ACTIVATION", "node_7"),
        LayerFacts(5, "ACTIVATION", "anything", "[ONNX Layer: conv]"),
    ]
    owned = owners(layers, NODES)
    assert owned == {0: "gemm", 1: "gemm", 4: "node_7", 5: "conv"}
    assert layer_names(layers, owned)["gemm_12"] == "gemm"
