"""What is pinned together with pins, so that fusions stay whole."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from keeping_backend import KeepingBackend, opened

from trtdebug.core.outcome import EngineInfo, LayerInfo, Outcome
from trtdebug.stages.context import Context
from trtdebug.stages.fixing.blocks import whole_blocks

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
PARTS = ("mean", "centre", "pow", "var", "eps", "sqrt", "div", "mul", "add")
NEEDED = ("pow", "var", "eps", "sqrt")


@pytest.fixture
def attention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.syspath_prepend(str(SAMPLES))
    return opened(importlib.import_module("attention").build(), tmp_path, KeepingBackend())


def built(*layers: LayerInfo) -> tuple[Outcome]:
    return (Outcome("fail", engine=EngineInfo("keeping", "1", layers=layers)),)


def nodes(norm: str, parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{norm}_{part}" for part in parts)


def test_layers_of_the_engine_stay_whole(attention: Context) -> None:
    fused = LayerInfo("PWN(...)", nodes("lnf", ("eps", "sqrt", "div", "mul", "add")))
    alone = LayerInfo("lnf_var", nodes("lnf", ("var",)))
    other = LayerInfo("b3_ln1", nodes("b3_ln1", PARTS))
    found = whole_blocks(attention, nodes("lnf", NEEDED), built(fused, alone, other))
    assert found == nodes("lnf", ("pow", "var", "eps", "sqrt", "div", "mul", "add"))


def test_a_block_that_names_only_its_ends_counts_too(attention: Context) -> None:
    block = LayerInfo("{ForeignNode[lnf_centre...lnf_div]}", at_most=nodes("lnf", PARTS[1:7]))
    assert whole_blocks(attention, nodes("lnf", NEEDED), built(block)) == nodes("lnf", PARTS[1:7])


def test_where_one_layer_holds_the_whole_model_the_graph_tells(attention: Context) -> None:
    everything = LayerInfo("{ForeignNode[b0_ln1_mean...y]}", at_most=attention.items)
    pins = (*nodes("b3_ln1", NEEDED), *nodes("lnf", NEEDED))
    whole = (*nodes("b3_ln1", PARTS), *nodes("lnf", PARTS))
    assert whole_blocks(attention, pins, built(everything)) == whole
    assert whole_blocks(attention, pins, ()) == whole


def test_a_heavy_node_by_itself_stays_alone(attention: Context) -> None:
    assert whole_blocks(attention, ("head",), ()) == ("head",)
