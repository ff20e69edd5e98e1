"""What the engine shows of the precision that was asked."""

from __future__ import annotations

from collections.abc import Mapping

from engine_json import TRT8, TRT10, TRT11, metadata

from trtdebug.backends.tensorrt.inspect import EngineDump, EngineLayer, EngineTensor, parse_dump
from trtdebug.backends.tensorrt.readback import ReadBack, layer_infos, read_back
from trtdebug.core.intervention import Precision
from trtdebug.core.outcome import LayerInfo

PRODUCER = {"ta": "a", "tb": "b", "y": "c"}


def judge(*layers: EngineLayer, **asked: Precision) -> ReadBack:
    dump = EngineDump(layers, frozenset({"x", "y"}))
    return read_back(dump, layer_infos(dump, {"a", "b", "c"}), asked, PRODUCER)


def engine_layer(
    name: str, reads: str | None, output: str, writes: str | None, kind: str = "Cask"
) -> EngineLayer:
    return EngineLayer(name, kind, (EngineTensor("in", reads),), (EngineTensor(output, writes),))


def test_layers_as_reports_show_them() -> None:
    nodes = {"conv1", "relu1", "mean", "divide", "fc1", "bias"}
    reformat, conv, block = layer_infos(parse_dump(TRT8), nodes)
    assert reformat.nodes == ()
    assert conv == LayerInfo(
        "conv1 + relu1",
        ("conv1", "relu1"),
        "fp16",
        "sm90_xmma_fprop_implicit_gemm_f16f16_f16f32_f32",
        "CaskConvolution",
        ("fp16",),
        ("fp16",),
        tactic_id="0x5b8bf1b8028629d9",
    )
    assert (block.nodes, block.at_most, block.reads, block.writes) == ((), (), ("fp16",), ("fp32",))
    (gemm,) = layer_infos(parse_dump(TRT11), nodes)
    assert (gemm.nodes, gemm.reads, gemm.precision) == (("fc1", "bias"), ("fp32",), "fp16")


def test_reading_and_writing_the_asked_type_alone_honours_a_node() -> None:
    assert judge(engine_layer("a", "fp16", "ta", "fp16"), a="fp16") == ReadBack(honoured=("a",))
    whole = engine_layer("a + b", "fp16", "tb", "fp16")
    assert judge(whole, a="fp16", b="fp16") == ReadBack(honoured=("a", "b"))


def test_an_output_of_another_type_refuses_its_node() -> None:
    assert judge(engine_layer("a", "fp16", "ta", "fp16"), a="fp32") == ReadBack(refused=("a",))


def test_an_input_of_another_type_leaves_it_open() -> None:
    assert judge(engine_layer("a", "fp32", "ta", "fp16"), a="fp16") == ReadBack(unverified=("a",))
    assert judge(engine_layer("a", None, "ta", "fp16"), a="fp16") == ReadBack(unverified=("a",))


def test_reformatted_and_engine_outputs_refuse_nothing() -> None:
    reformatted = engine_layer("a", "fp16", "Reformatted Output Tensor 0 to a", "fp16")
    assert judge(reformatted, a="fp32") == ReadBack(unverified=("a",))
    assert judge(engine_layer("c", "fp16", "y", "fp32"), c="fp16") == ReadBack(unverified=("c",))


def test_a_fused_layer_of_nodes_that_were_asked_different_things_honours_none() -> None:
    layer = engine_layer("a + b", "fp16", "tb", "fp16")
    assert judge(layer, a="fp32", b="fp16") == ReadBack(refused=("a",), unverified=("b",))
    assert judge(layer, b="fp16") == ReadBack(unverified=("b",))
    assert judge(layer, a="fp32") == ReadBack(refused=("a",))
    assert judge(layer, a="fp16", b="fp32") == ReadBack(refused=("b",), unverified=("a",))


def test_a_fused_layer_that_reads_one_type_and_writes_another_leaves_it_open() -> None:
    layer = engine_layer("a + b", "fp32", "tb", "fp16")
    assert judge(layer, a="fp32", b="fp16") == ReadBack(unverified=("a", "b"))
    untold = engine_layer("a + b", None, "tb", "fp16")
    assert judge(untold, a="fp32", b="fp16") == ReadBack(unverified=("a", "b"))
    within_myelin = engine_layer("a + b", "fp16", "tb", "fp16", "kgen")
    assert judge(within_myelin, a="fp32", b="fp16") == ReadBack(unverified=("a", "b"))


def test_every_layer_of_a_node_has_to_show_it() -> None:
    first, second = (
        engine_layer("a", "fp16", "ta", "fp16"),
        engine_layer("a [profile 1]", "fp32", "ta2", "fp16"),
    )
    assert judge(first, second, a="fp16") == ReadBack(unverified=("a",))


def test_a_foreign_node_hides_what_it_does() -> None:
    assert judge(engine_layer("{ForeignNode[a...b]}", "fp16", "tb", "fp16"), a="fp32", b="fp16") == ReadBack(
        unverified=("a", "b")
    )
    listed = EngineLayer(
        "{ForeignNode[a...b]}",
        "Myelin",
        inputs=(EngineTensor("in", "fp32"),),
        outputs=(EngineTensor("tb", "fp32"),),
        metadata=metadata("a", "b", joint="\x1f"),
    )
    assert judge(listed, a="fp32", b="fp32") == ReadBack(unverified=("a", "b"))
    assert judge(listed, a="fp32", b="fp16") == ReadBack(unverified=("a", "b"))


def test_a_kernel_within_myelin_may_store_for_its_next_reader() -> None:
    asked: Mapping[str, Precision] = {"square": "fp32", "mean": "fp32", "divide": "fp32"}
    dump = parse_dump(TRT10)
    found = read_back(dump, layer_infos(dump, set(asked)), asked, {"m": "mean", "y": "divide"})
    assert found == ReadBack(honoured=("divide",), unverified=("square", "mean"))
    kernel = EngineLayer(
        "__myl_Sq",
        "kgen",
        (EngineTensor("in", "fp32"),),
        (EngineTensor("__mye92", "fp16"),),
        metadata=metadata("a"),
    )
    assert judge(kernel, a="fp32") == ReadBack(unverified=("a",))


def test_a_node_that_no_layer_shows_is_unverified() -> None:
    assert judge(a="fp16") == ReadBack(unverified=("a",))
