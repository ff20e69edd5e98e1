"""The inspector's JSON in both schemas, and what is concluded from it."""

from __future__ import annotations

import json

import pytest

from trtdebug.backends.tensorrt.inspect import (
    EngineDump,
    EngineLayer,
    EngineTensor,
    format_precision,
    layer_infos,
    nodes_of,
    parse_dump,
    read_back,
)
from trtdebug.core.errors import NotHonoured
from trtdebug.core.outcome import LayerInfo


def tensor(name: str, kind: str, key: str = "Format/Datatype") -> dict:
    return {"Name": name, "Location": "Device", "Dimensions": [1, 8], key: kind}


TRT8 = json.dumps(
    {
        "Layers": [
            {
                "Name": "Reformatting CopyNode for Input Tensor 0 to conv1 + relu1",
                "LayerType": "Reformat",
                "Inputs": [tensor("x", "Row major linear FP32")],
                "Outputs": [
                    tensor("Reformatted Input Tensor 0 to conv1 + relu1", "Row major linear FP16 format")
                ],
                "TacticValue": "0x00000000000003e8",
            },
            {
                "Name": "conv1 + relu1",
                "LayerType": "CaskConvolution",
                "Inputs": [
                    tensor("Reformatted Input Tensor 0 to conv1 + relu1", "Row major linear FP16 format")
                ],
                "Outputs": [tensor("r", "Channel major FP16 format where channel % 8 == 0")],
                "TacticName": "sm90_xmma_fprop_implicit_gemm_f16f16_f16f32_f32",
                "TacticValue": "0x5b8bf1b8028629d9",
                "Metadata": "[ONNX Layer: conv1]\x1e[ONNX Layer: relu1]",
            },
            {
                "Name": "{ForeignNode[mean...divide]}",
                "LayerType": "Myelin",
                "Inputs": [tensor("r", "Row major linear FP16 format")],
                "Outputs": [tensor("y", "Row major linear FP32")],
                "TacticValue": "0x0000000000000000",
            },
        ],
        "Bindings": ["x", "y"],
    }
)
TRT11 = json.dumps(
    {
        "Layers": [
            {
                "Name": "__myl_Fc_0",
                "LayerType": "gemm",
                "Inputs": [tensor("x", "Float", "DataType")],
                "Outputs": [
                    {"Name": "h", "DataType": "Half", "Format": "Row major linear", "Dimensions": [8]}
                ],
                "TacticName": "sm80_xmma_gemm",
                "Metadata": "[ONNX Layer: fc1]\x1f[ONNX Layer: bias]",
            }
        ],
        "I/O Tensors": [
            {"Name": "x", "IOMode": "Input", "DataType": "Float"},
            {"Name": "y", "IOMode": "Output"},
        ],
    }
)
NODES = {"conv1", "relu1", "mean", "divide", "fc1", "bias"}


def test_the_schema_of_8_to_10() -> None:
    dump = parse_dump(TRT8)
    assert dump.bindings == {"x", "y"}
    infos = layer_infos(dump, NODES, {})
    assert infos[0] == LayerInfo(
        "Reformatting CopyNode for Input Tensor 0 to conv1 + relu1", (), "fp16", "0x00000000000003e8"
    )
    assert infos[1].nodes == ("conv1", "relu1")
    assert infos[1].precision == "fp16"
    assert infos[1].tactic == "sm90_xmma_fprop_implicit_gemm_f16f16_f16f32_f32"
    assert infos[2] == LayerInfo("{ForeignNode[mean...divide]}", (), "fp32", "0x0000000000000000")


def test_the_schema_of_11() -> None:
    dump = parse_dump(TRT11)
    assert dump.bindings == {"x", "y"}
    assert layer_infos(dump, NODES, {}) == (
        LayerInfo("__myl_Fc_0", ("fc1", "bias"), "fp16", "sm80_xmma_gemm"),
    )


def test_names_alone_when_built_without_details() -> None:
    dump = parse_dump('{"Layers": ["conv1 + relu1"], "Bindings": ["x"]}')
    assert layer_infos(dump, NODES, {}) == (LayerInfo("conv1 + relu1", ("conv1", "relu1")),)


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"Layers": 3}'])
def test_unreadable_text_is_said_to_be_so(text: str) -> None:
    with pytest.raises(NotHonoured, match="nothing readable"):
        parse_dump(text)


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("Row major linear FP32", "fp32"),
        ("Four wide channel vectorized row major Int8 format", "int8"),
        ("Channel major FP16 format where channel % 8 == 0", "fp16"),
        ("Half", "fp16"),
        ("Float", "fp32"),
        ("BFloat16", "bf16"),
        ("Row major linear BF16", "bf16"),
        ("Row major Int8 format", "int8"),
        ("Int64", "int64"),
        ("Row major linear UInt8 format", "uint8"),
        ("FP8", "fp8"),
        ("Bool", "bool"),
        ("N/A due to dynamic shapes", None),
        ("", None),
    ],
)
def test_formats(text: str, precision: str | None) -> None:
    assert format_precision(text) == precision


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


def judge(*layers: EngineLayer, asked: dict, bindings=frozenset({"x", "y"}), producer=None):
    dump = EngineDump(layers, bindings)
    infos = layer_infos(dump, {"a", "b", "c"}, {})
    return read_back(dump, infos, asked, producer or {"ta": "a", "tb": "b", "y": "c"})


def engine_layer(name: str, inputs: str, output: str, precision: str, kind: str = "Cask") -> EngineLayer:
    return EngineLayer(name, kind, (EngineTensor("in", inputs),), (EngineTensor(output, precision),))


def test_an_output_of_the_asked_type_verifies_its_node() -> None:
    assert judge(engine_layer("a", "fp32", "ta", "fp16"), asked={"a": "fp16"}) == ((), ())


def test_an_output_of_another_type_refuses_its_node() -> None:
    assert judge(engine_layer("a", "fp16", "ta", "fp16"), asked={"a": "fp32"}) == (("a",), ())


def test_reformatted_and_engine_outputs_prove_nothing() -> None:
    reformatted = engine_layer("a", "fp16", "Reformatted Output Tensor 0 to a", "fp16")
    assert judge(reformatted, asked={"a": "fp32"}) == ((), ("a",))
    assert judge(engine_layer("c", "fp16", "y", "fp32"), asked={"c": "fp16"}) == ((), ("c",))


def test_a_fused_layer_shows_only_its_last_node_unless_all_of_it_is_of_one_type() -> None:
    mixed = engine_layer("a + b", "fp32", "tb", "fp16")
    assert judge(mixed, asked={"a": "fp16", "b": "fp16"}) == ((), ("a",))
    whole = engine_layer("a + b", "fp16", "tb", "fp16")
    assert judge(whole, asked={"a": "fp16", "b": "fp16"}) == ((), ())
    assert judge(whole, asked={"a": "fp32", "b": "fp16"}) == ((), ("a",))


def test_a_foreign_node_hides_what_it_does() -> None:
    block = engine_layer("{ForeignNode[a...b]}", "fp16", "tb", "fp16")
    assert judge(block, asked={"a": "fp32", "b": "fp16"}) == ((), ("a", "b"))
    listed = EngineLayer(
        "{ForeignNode[a...b]}",
        "Myelin",
        outputs=(EngineTensor("tb", "fp16"),),
        metadata="[ONNX Layer: a]\x1f[ONNX Layer: b]",
    )
    assert judge(listed, asked={"a": "fp32", "b": "fp32"}) == ((), ("a", "b"))
    assert judge(listed, asked={"a": "fp32", "b": "fp16"}) == ((), ("a",))


def test_a_node_that_no_layer_shows_is_unverified() -> None:
    assert judge(asked={"a": "fp16"}) == ((), ("a",))
