"""docs/custom-operators.md: its examples work."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
from custom_models import DOMAIN, model, swish_model
from onnx import helper

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.case import BuildOptions
from trtdebug.plugins.operators import operator_source, operators_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "custom-operators.md").read_text(encoding="utf-8")
X = np.linspace(-3, 3, 16, dtype=np.float32).reshape(2, 8)


def run(folder: Path, graph: onnx.ModelProto) -> dict[str, np.ndarray]:
    (folder / "ops.py").write_text("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.S)))
    onnx.save(graph, folder / "model.onnx")
    source = operator_source(folder / "ops.py")
    assert [each.name for each in operators_of(source)] == ["my.ops::Swish", "my.ops::Halves"]
    options = BuildOptions(operators=(source,))
    return OnnxruntimeBackend().build(BuildRequest(folder / "model.onnx", options, folder)).run({"x": X})


def test_the_examples_are_a_file_of_operators_that_works(tmp_path):
    assert run(tmp_path, swish_model())["y"].shape == (2, 8)
    halves = helper.make_node("Halves", ["x"], ["a", "b"], "halves", domain=DOMAIN)
    whole = run(tmp_path, model([halves, helper.make_node("Add", ["a", "b"], ["y"], "add")]))
    np.testing.assert_array_equal(whole["y"], X)


def test_every_way_is_told_of():
    for way in (".py`", ".onnx`", ".so`", "trtdebug_operators", "--nodes swish_7", "operator-emulated"):
        assert way in PAGE
