"""Broken fusions: by neutral nodes where they build, else by extra outputs, and it says so."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from seed_models import model_of, node, value

from trtdebug.backends.apart import build_apart
from trtdebug.backends.base import BuildRequest
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BreakFusion, Intervention, Knob, ReplaceGraph


@pytest.fixture
def model(tmp_path: Path) -> Path:
    nodes = [node("Neg", ["x"], ["h"], "neg"), node("Relu", ["h"], ["y"], "relu")]
    onnx.save(model_of(nodes, [value("x", [2, 3])], [value("y", [2, 3])], []), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def request(model: Path, *interventions: Intervention) -> BuildRequest:
    return BuildRequest(model, BuildOptions(), model.parent, interventions)


class Builder:
    """Gives back what it is asked for; refuses operators."""

    def __init__(self, refused: str = "", says: str = "no implementation") -> None:
        self.refused, self.says = refused, says

    def __call__(self, request: BuildRequest) -> BuildRequest:
        if self.refused in {n.op_type for n in onnx.load(request.model).graph.node}:
            raise BuildFailure(self.says)
        return request


def test_a_neutral_node_takes_the_place_of_the_intervention(model: Path) -> None:
    built, note = build_apart(request(model, Knob("tf32", "off"), BreakFusion("h")), Builder())
    assert built.interventions == (Knob("tf32", "off"),)
    assert "ScatterND" in {n.op_type for n in onnx.load(built.model).graph.node}
    assert note == ""


def test_a_replaced_graph_is_the_one_that_gets_the_node(model: Path, tmp_path: Path) -> None:
    (tmp_path / "rewritten.onnx").write_bytes(model.read_bytes())
    rewritten = ReplaceGraph(str(tmp_path / "rewritten.onnx"), "0" * 64)
    built, _ = build_apart(request(tmp_path / "gone.onnx", rewritten, BreakFusion("h")), Builder())
    assert built.interventions == ()


def test_without_a_broken_fusion_nothing_changes(model: Path) -> None:
    asked = request(model, Knob("tf32", "off"))
    assert build_apart(asked, Builder()) == (asked, "")


@pytest.mark.parametrize("tensor", ["h", "x"])
def test_what_does_not_build_so_becomes_an_extra_output(model: Path, tensor: str) -> None:
    asked = request(model, BreakFusion(tensor))
    built, note = build_apart(asked, Builder(refused="ScatterND"))
    assert built == asked
    assert note.startswith(f"relaxed: {tensor} made extra outputs")
    assert ("no implementation" if tensor == "h" else "written by no node") in note


def test_where_the_gpu_is_full_it_is_not_tried_again(model: Path) -> None:
    with pytest.raises(BuildFailure, match="out of memory"):
        build_apart(request(model, BreakFusion("h")), Builder("ScatterND", "Cuda Runtime (out of memory)"))
