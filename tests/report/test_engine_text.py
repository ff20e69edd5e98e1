"""Engines for people."""

from __future__ import annotations

from trtdebug.core.outcome import EngineInfo, LayerInfo
from trtdebug.report.engine_text import render_diff, render_engine
from trtdebug.stages.engines.diff import diff_engines

CONV = LayerInfo(
    "conv + relu", ("conv", "relu"), "fp16", "sm90_xmma", "CaskConvolution", ("fp32",), ("fp16",)
)
BLOCK = LayerInfo("{ForeignNode[a...c]}", (), "fp32", None, "Myelin", ("fp16",), ("fp32",), ("a", "b", "c"))


def info(*layers: LayerInfo) -> EngineInfo:
    return EngineInfo("tensorrt", "8.6.0", "NVIDIA H200", layers, notes=("a note",))


def test_layers_in_order_of_execution() -> None:
    text = render_engine(info(BLOCK, CONV))
    assert text.splitlines() == [
        "tensorrt 8.6.0 on NVIDIA H200: 2 layers",
        "note: a note",
        "in -> out        layer",
        "fp16 -> fp32     Myelin {ForeignNode[a...c]}",
        "                 at most 3 nodes: a, b, c",
        "fp32 -> fp16     CaskConvolution conv + relu",
        "                 nodes conv, relu",
        "                 tactic sm90_xmma",
        "1 block(s) were compiled as a whole and hold up to 3 nodes: the engine does not tell which precision these "
        "work in.",
    ]


def test_the_dearest_layers_first_where_they_were_timed() -> None:
    cheap = LayerInfo("cheap", milliseconds=0.1)
    text = render_engine(info(cheap, LayerInfo("untimed"), LayerInfo("dear", milliseconds=0.3)))
    assert "3 layers, 0.4 ms in all" in text
    lines = [line.split() for line in text.splitlines()[3:]]
    assert [line[:2] for line in lines[:2]] == [["0.3000", "75.0"], ["0.1000", "25.0"]]
    assert lines[2][-1] == "untimed"


def test_many_nodes_are_counted() -> None:
    many = LayerInfo("all", tuple(f"n{i}" for i in range(30)))
    assert "nodes n0, n1, n2, n3, n4, n5, n6, n7 and 22 more" in render_engine(info(many))


def test_names_cannot_act_on_the_terminal() -> None:
    assert "\x1b" not in render_engine(info(LayerInfo("\x1b[31mred")))


def test_differences() -> None:
    other = LayerInfo("conv", ("conv",), "fp16", None, "CaskConvolution", ("fp16",), ("fp16",))
    text = render_diff(diff_engines([CONV, BLOCK], [other, BLOCK]))
    assert text.splitlines() == [
        "1 layers are alike, 1 differences",
        "fusion, precision: conv, relu",
        "  first  fp32 -> fp16     CaskConvolution conv + relu [sm90_xmma]",
        "  second fp16 -> fp16     CaskConvolution conv",
    ]
