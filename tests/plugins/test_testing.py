"""What authors of extensions test with."""

from __future__ import annotations

import types

import numpy as np
import onnx
import onnx.parser
import pytest

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.testing import check_context, fix_context, load_plugin, run_check, run_fix
from trtdebug.plugins.types import Check, Finding, FixProposer


@pytest.fixture
def model() -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { a = Neg(x) y = Exp(a) }'
    )
    model.ir_version = 14  # what onnx.helper writes, and onnxruntime does not read
    return model


def test_the_reference_gives_inputs_inner_tensors_and_outputs(model):
    context = check_context(model, {"x": np.array([1, 2], np.float32)})
    values = context.reference(["a", "y", "x", "a"])
    assert {name: value.tolist() for name, value in values.items()} == {
        "x": [1, 2],
        "a": [-1, -2],
        "y": pytest.approx(np.exp([-1, -2])),
    }


def test_the_model_given_is_not_changed(model):
    before = model.SerializeToString()
    context = check_context(model, {"x": np.zeros(2, np.float32)})
    context.reference(["a"])
    assert model.SerializeToString() == before
    assert [node.name for node in context.model.graph.node] == ["node_of_a", "node_of_y"]


def test_without_a_sample_there_is_no_reference(model):
    assert check_context(model).reference is None


def test_a_check_has_to_yield_findings(model):
    good = Check("good", "", run=lambda context: [Finding("good", "info", "x")])
    assert len(run_check(good, check_context(model))) == 1
    with pytest.raises(TypeError, match="bad has to yield Findings"):
        run_check(Check("bad", "", run=lambda context: ["text"]), check_context(model))


def test_a_fix_context_names_the_case(model):
    context = fix_context(model, [["node_of_a"]], pins=["node_of_a"], precision="bf16")
    assert (context.culprits, context.pins) == ((("node_of_a",),), ("node_of_a",))
    assert (context.case.options.precision, context.signature.outputs) == ("bf16", ("y",))
    with pytest.raises(TypeError, match="FixProposals"):
        run_fix(FixProposer("bad", "", propose=lambda context: [1]), context)


def test_load_plugin_shows_the_traceback_of_a_bad_plugin():
    module = types.ModuleType("bad")

    @hookimpl
    def trtdebug_checks():
        raise ZeroDivisionError("here")

    module.trtdebug_checks = trtdebug_checks
    with pytest.raises(AssertionError, match="ZeroDivisionError: here"):
        load_plugin(module)
