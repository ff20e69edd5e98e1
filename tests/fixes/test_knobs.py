"""Switches that cure are proposed as one fix, dearer where they cost speed."""

from __future__ import annotations

from dataclasses import replace

import onnx
import pytest

from trtdebug.core.intervention import Knob
from trtdebug.fixes.knobs import price, turn_knobs
from trtdebug.plugins.testing import fix_context
from trtdebug.plugins.types import FixContext

SOURCE, TF32, LEVEL = Knob("tactic_sources", "-A"), Knob("tf32", "off"), Knob("optimization_level", "0")


@pytest.fixture
def context() -> FixContext:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }"""
    return fix_context(onnx.parser.parse_model(text), [])


def test_switches_that_cure_together_are_one_fix(context: FixContext) -> None:
    [proposal] = turn_knobs(replace(context, knobs=(SOURCE, TF32)))
    assert proposal.interventions == (SOURCE, TF32)
    assert proposal.summary == "build with tactic_sources=-A, tf32=off"
    assert proposal.cost == price([SOURCE]) + price([TF32])


def test_nothing_is_proposed_where_none_cures(context: FixContext) -> None:
    assert list(turn_knobs(context)) == []


def test_a_low_level_costs_the_most() -> None:
    assert price([SOURCE]) < price([TF32]) < price([LEVEL])
    assert price([SOURCE, TF32]) < price([LEVEL])
