"""Models in double precision."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from healthy_graphs import healthy_graph, sample
from onnx import TensorProto, helper
from ort import run
from seed_models import mnist, model_of, node, value, weight, with_if

from trtdebug.graph.widen import widened


@pytest.mark.parametrize("family", ["softmax", "layer_norm"])
def test_the_same_model_with_more_digits(family):
    model = healthy_graph(family, 0, 40)
    before = model.SerializeToString()
    feeds = sample(family, 0)
    narrow = run(model, feeds)["y"]
    wide = run(widened(model), {n: v.astype(np.float64) for n, v in feeds.items()})["y"]
    assert (narrow.dtype, wide.dtype) == (np.float32, np.float64)
    error = np.linalg.norm(narrow - wide) / np.linalg.norm(wide)
    assert 1e-9 < error < 1e-5
    assert model.SerializeToString() == before


def test_bodies_casts_and_constants_too():
    wide = widened(with_if())
    assert {i.data_type for i in wide.graph.initializer} == {TensorProto.DOUBLE}
    assert run(wide, {"x": np.array([1.0, 2.0])})["y"].dtype == np.float64
    made = model_of(
        [
            helper.make_node("Constant", [], ["c"], "constant", value_float=0.1),
            node("Cast", ["i"], ["f"], "cast", to=TensorProto.FLOAT),
            node("Mul", ["f", "c"], ["y"], "mul"),
        ],
        [value("i", [2], TensorProto.INT64)],
        [value("y", [2])],
        [],
    )
    found = run(widened(made), {"i": np.array([1, 3])})["y"]
    np.testing.assert_allclose(found, np.float32([0.1, 0.3]), rtol=1e-6)
    assert found.dtype == np.float64


def test_integers_stay():
    assert widened(mnist()).graph.output[0].type.tensor_type.elem_type == TensorProto.INT64
    kept = model_of(
        [node("Neg", ["x"], ["y"], "neg")], [value("x", [1])], [value("y", [1])], [weight("k", np.array(3))]
    )
    assert widened(kept).graph.initializer[0].data_type == TensorProto.INT64
    onnx.checker.check_model(widened(kept))
