"""A tensor given from outside: whatever reads it goes on from there, and nothing else changes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ort import run
from random_graphs import random_graph

from trtdebug.graph.index import GraphIndex
from trtdebug.graph.inputs import generate
from trtdebug.graph.replaceable import Replaceable, can_be_replaced, replaceable
from trtdebug.graph.types import TensorType, value_info


def cut(model: onnx.ModelProto, tensor: str, types: dict[str, TensorType]) -> onnx.ModelProto:
    """The model with an input in place of what writes the tensor."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        for place, output in enumerate(node.output):
            if output == tensor:
                node.output[place] = f"{tensor}__cut"
    copy.graph.input.append(value_info(tensor, types[tensor]))
    return copy


def feeds_of(
    model: Replaceable, feeds: dict[str, np.ndarray], replaced: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    ranks = {i.name: len(i.type.tensor_type.shape.dim) for i in model.model.graph.input}
    inputs = [model.given[t] for t in model.switches if t not in replaced]
    nothing = {i: np.zeros((1,) * ranks[i], np.float32) for i in inputs}
    switches = {switch: np.array(t in replaced) for t, switch in model.switches.items()}
    return feeds | nothing | switches | {model.given[t]: value for t, value in replaced.items()}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 25), data=st.data())
def test_one_of_many_is_replaced_for_all_that_read_it(seed: int, size: int, data: st.DataObject) -> None:
    model = random_graph(seed, size, loops=True)
    feeds = generate(model, seed=seed)
    tensors = GraphIndex(model).tensors
    types = {n: TensorType(v.dtype.name, v.shape) for n, v in {**feeds, **run(model, feeds, tensors)}.items()}
    written = [t for t in tensors if can_be_replaced(model, t, types)]
    chosen = data.draw(st.lists(st.sampled_from(["x", *written]), min_size=1, unique=True))
    made = replaceable(model, chosen, types)
    onnx.checker.check_model(made.model)
    assert made.given.keys() == set(chosen)
    assert made.switches.keys() == set(chosen) - {"x"}
    untouched = run(made.model, feeds_of(made, feeds, {}))
    for name, value in run(model, feeds).items():
        np.testing.assert_array_equal(untouched[name], value)
    tensor = data.draw(st.sampled_from(chosen))
    value = np.full(types[tensor].shape, 7, np.float32)
    replaced = run(made.model, feeds_of(made, feeds, {tensor: value}))
    expected = run(model if tensor == "x" else cut(model, tensor, types), feeds | {tensor: value})
    for name, value in expected.items():
        np.testing.assert_array_equal(replaced[name], value, err_msg=f"{name} of {tensor}")


@pytest.mark.parametrize(("dtype", "opset"), [("float16", 13), ("int64", 13), ("float32", 8)])
def test_what_where_does_not_take_cannot_be_replaced(dtype: str, opset: int) -> None:
    model = random_graph(0, 3)
    model.opset_import[0].version = opset
    assert not can_be_replaced(model, "t0", {"t0": TensorType(dtype, (4, 4))})
    assert not can_be_replaced(model, "t0", {})
    assert not can_be_replaced(model, "t0", {"t0": TensorType("float32", None)})


def test_floats_can_be_replaced() -> None:
    model = random_graph(0, 3)
    assert all(can_be_replaced(model, "t0", {"t0": TensorType(f, (4, 4))}) for f in ("float32", "float64"))
