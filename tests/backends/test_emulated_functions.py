"""The emulator within functions of the model: low precision reaches their nodes, and pins of a call cover them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from emulated import emulated, reference, request, saved
from function_models import call as call_of
from function_models import calling, fault_outside, function, nested, old_function, one_of_two, scaled
from seed_models import node

from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.core.intervention import PinPrecision

X = {"x": np.array([3, -3, 4, 5], np.float32)}


@pytest.mark.parametrize(
    ("model", "pins"),
    [(one_of_two, ["bad"]), (nested, ["call"]), (fault_outside, ["up", "down"])],
)
def test_what_is_in_a_function_overflows_unless_the_call_is_pinned(tmp_path, model, pins):
    path = saved(model(), tmp_path)
    assert np.isinf(emulated(path, tmp_path, X)["y"]).all()
    pinned = emulated(path, tmp_path, X, pins=pins)["y"]
    np.testing.assert_allclose(pinned, reference(path, tmp_path, X)["y"], rtol=1e-3)
    others = [n.name for n in model().graph.node if n.name not in pins]
    assert np.isinf(emulated(path, tmp_path, X, pins=others)["y"]).all()


def test_a_pinned_call_computes_in_full(tmp_path):
    model = calling([call_of("Scaled", ["x"], ["y"], "c", s=3.0)], [scaled()])
    path = saved(model, tmp_path)
    x = {"x": np.array([1 / 3, 1e-9, 1e30, 2], np.float32)}
    np.testing.assert_array_equal(
        emulated(path, tmp_path, x, pins=["c"])["y"], reference(path, tmp_path, x)["y"]
    )


def test_calls_count_as_nodes_and_all_is_verified(tmp_path):
    pins = [PinPrecision(("good",))]
    info = EmulatorBackend().build(request(saved(one_of_two(), tmp_path), tmp_path, "fp16", pins)).info()
    assert info.notes == ("2 of 3 float nodes work in fp16",)
    assert info.unverified == ()


def test_a_call_that_can_not_be_inlined_is_unverified(tmp_path):
    path = saved(old_function(), tmp_path)
    info = EmulatorBackend().build(request(path, tmp_path, "fp16")).info()
    assert info.unverified == ("old",)
    assert any(note.startswith("old: what the model's function computes") for note in info.notes)
    pins = [PinPrecision(("old",))]
    assert EmulatorBackend().build(request(path, tmp_path, "fp16", pins)).info().unverified == ()


def test_a_node_of_a_function_that_is_narrow_already_makes_its_call_unverified(tmp_path):
    narrow = function(
        "Narrow",
        [
            node("Cast", ["a"], ["h"], "in", to=onnx.TensorProto.FLOAT16),
            node("Neg", ["h"], ["n"], "neg"),
            node("Cast", ["n"], ["b"], "out", to=onnx.TensorProto.FLOAT),
        ],
    )
    model = calling([call_of("Narrow", ["x"], ["h"], "c"), node("Neg", ["h"], ["y"], "wide")], [narrow])
    info = EmulatorBackend().build(request(saved(model, tmp_path), tmp_path, "fp16")).info()
    assert info.unverified == ("c",)
