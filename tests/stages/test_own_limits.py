"""What a candidate that only stands for a builder can't do is told as its limit, and blames nothing in the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from function_models import fault_outside, nested, old_function, one_of_two
from onnx import TensorProto
from seed_models import model_of, node

from trtdebug.core.diagnosis import Diagnosis
from trtdebug.report.text import render_text
from trtdebug.testing.running import debugged

X = {"x": np.array([3, -3, 4, 5], np.float32)}


def diagnosed(model: onnx.ModelProto, folder: Path, x=X, **options) -> Diagnosis:
    return debugged(model, x, folder=folder, until="repro", **options).diagnosis


@pytest.mark.parametrize(("model", "culprits"), [(one_of_two, ["bad"]), (nested, ["call"])])
def test_a_call_is_the_culprit_of_a_fault_in_its_function(tmp_path, model, culprits):
    found = diagnosed(model(), tmp_path)
    assert found.verdict == "diverges"
    assert [n for c in found.culprits if c.proven for n in c.nodes] == culprits
    assert found.fixes[0].verified
    assert found.repro is not None
    assert found.repro.verified, found.repro.note
    assert not found.unknown


def test_a_fault_beside_a_function_is_not_the_calls(tmp_path):
    found = diagnosed(fault_outside(), tmp_path)
    assert [n for c in found.culprits if c.proven for n in c.nodes] == ["up", "down"]


def test_a_match_says_what_was_not_tried(tmp_path):
    found = diagnosed(old_function(), tmp_path)
    assert found.verdict == "matches"
    assert found.unknown == (
        "what low precision does in 1 node(s) is not known, since the emulator could not imitate it there: old",
    )


def float16() -> onnx.ModelProto:
    tensor = onnx.helper.make_tensor_value_info
    return model_of(
        [node("Mul", ["x", "x"], ["h"], "square"), node("Sqrt", ["h"], ["y"], "root")],
        [tensor("x", TensorProto.FLOAT16, [4])],
        [tensor("y", TensorProto.FLOAT16, [4])],
    )


def test_a_model_that_the_emulator_cannot_test_has_no_culprits(tmp_path):
    result = debugged(float16(), {"x": np.ones(4, np.float16)}, folder=tmp_path, until="repro")
    found = result.diagnosis
    assert (found.verdict, found.signature) == ("untestable", None)
    assert found.reason.startswith("the emulator cannot test this model: the model is already in float16")
    assert found.reason.endswith("or use --candidate tensorrt.")
    assert (found.culprits, found.fixes, found.repro) == ((), (), None)
    assert not [f.id for f in found.findings if f.id == "no-equivalent"]
    assert "--candidate tensorrt" in render_text(result.report)
