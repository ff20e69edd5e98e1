"""Marks of tensors that there are not are refused, whatever builds the candidate."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from fake_backend import FakeBackend

from trtdebug.backends.base import Backend
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import EVERY_TENSOR
from trtdebug.graph.load import save_model
from trtdebug.stages.opening.marks import check_marks

MODEL = """
<ir_version: 8, opset_import: ["" : 17]> g (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
  hidden = Mul(x, w)
  y = If (c) <
    then_branch = yes () => (float[2] then_out) { then_out = Abs(hidden) },
    else_branch = no () => (float[2] else_out) { else_out = Neg(hidden) }
  >
}
"""


class OwnNetwork(FakeBackend):
    """Builds a network with tensors of its own."""

    owns_tensors = True


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_model(onnx.parser.parse_model(MODEL), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.mark.parametrize("backend", [EmulatorBackend(), OnnxruntimeBackend(), FakeBackend()])
def test_a_tensor_that_there_is_not_is_refused_with_those_nearest(backend: Backend, model: Path) -> None:
    with pytest.raises(UserError, match=r"--mark names 'hiden', which is no tensor of m\.onnx") as told:
        check_marks(BuildOptions(marks=("y", "hiden")), model, backend)
    assert told.value.hint.startswith("Nearest to it: 'hidden', ")


@pytest.mark.parametrize("tensor", ["hidden", "then_out", "x", "w", "y", EVERY_TENSOR])
def test_tensors_of_the_model_are_taken(tensor: str, model: Path) -> None:
    check_marks(BuildOptions(marks=(tensor,)), model, EmulatorBackend())


def test_a_backend_may_have_tensors_of_its_own(model: Path) -> None:
    check_marks(BuildOptions(marks=("own_3",)), model, OwnNetwork())
    with pytest.raises(UserError, match="'own_3'"):
        check_marks(BuildOptions(marks=("own_3",)), model, FakeBackend())
