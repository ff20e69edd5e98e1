"""Tensors whose marking cures: kept apart by neutral nodes first, then by extra outputs."""

from __future__ import annotations

from dataclasses import replace

import onnx
import pytest

from trtdebug.core.intervention import BreakFusion, MarkOutputs
from trtdebug.fixes.fusion import break_fusions, mark_tensors
from trtdebug.plugins.testing import fix_context
from trtdebug.plugins.types import FixContext


@pytest.fixture
def context() -> FixContext:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { h = Neg(x) y = Relu(h) }"""
    return fix_context(onnx.parser.parse_model(text), [])


def test_a_neutral_node_is_cheaper_than_an_output(context: FixContext) -> None:
    marked = replace(context, marks=("h", "k"))
    [apart], [output] = break_fusions(marked), mark_tensors(marked)
    assert apart.interventions == (BreakFusion("h"), BreakFusion("k"))
    assert output.interventions == (MarkOutputs(("h", "k")),)
    assert apart.cost < output.cost
    assert "h, k" in apart.summary
    assert "h, k outputs of the engine" in output.summary


def test_one_tensor_reads_as_one(context: FixContext) -> None:
    [output] = mark_tensors(replace(context, marks=("h",)))
    assert output.summary == "make h an output of the engine"


def test_nothing_is_proposed_where_no_mark_cures(context: FixContext) -> None:
    assert [*break_fusions(context), *mark_tensors(context)] == []
