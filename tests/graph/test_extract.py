from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ort import run
from random_graphs import random_graph
from seed_models import identity_add_identity, omitted_inputs, shape_arithmetic, with_if

from trtdebug.core.errors import UserError
from trtdebug.graph.extract import extract
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.inputs import generate
from trtdebug.graph.types import TensorType, tensor_types


def cut(model: onnx.ModelProto, *nodes: str, outputs: tuple[str, ...] = ()) -> onnx.ModelProto:
    return extract(model, nodes, tensor_types(model), outputs)


def names(values: object) -> list[str]:
    return [value.name for value in values]  # type: ignore[attr-defined]


def test_one_node_becomes_a_model() -> None:
    """Seed T10 and 001-003 T8: the Add of 08-01, with its constant."""
    model = cut(identity_add_identity(), "myAdd")
    assert names(model.graph.node) == ["myAdd"]
    assert names(model.graph.input) == ["tensor1"]
    assert names(model.graph.output) == ["tensor2"]
    assert names(model.graph.initializer) == ["constant0"]
    assert (model.ir_version, model.opset_import) == (8, identity_add_identity().opset_import)
    assert run(model, {"tensor1": np.full((1, 3, 64, 64), 5, np.float32)})["tensor2"].max() == 6


def test_dynamic_dimensions_stay_dynamic() -> None:
    [value] = cut(identity_add_identity(), "myAdd").graph.input
    assert [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] == ["B", 3, 64, 64]


def test_omitted_inputs_survive() -> None:
    model = cut(omitted_inputs(), "clip")
    assert list(model.graph.node[0].input) == ["a", "", "high"]
    assert run(model, {"a": np.array([-1, 0, 0.3, 2], np.float32)})["b"].tolist() == pytest.approx(
        [-1, 0, 0.3, 0.5]
    )


def test_what_bodies_capture_becomes_an_input() -> None:
    model = cut(with_if(), "branch")
    assert names(model.graph.input) == ["positive", "doubled"]
    assert names(model.graph.initializer) == ["b", "a"]
    feeds = {"positive": np.array(True), "doubled": np.ones(3, np.float32)}
    assert run(model, feeds)["y"].tolist() == [11, 11, 11]


def test_outputs_are_what_leaves_and_what_is_asked_for() -> None:
    model = shape_arithmetic()
    assert names(cut(model, "myShape", "myGather0", "myGather1").graph.output) == [
        "tensor1",
        "tensor4",
        "tensor5",
    ]
    assert names(cut(model, "myGather1", "myReduceProd1").graph.output) == ["tensor6"]
    with_more = cut(model, "myGather1", "myReduceProd1", outputs=("tensor5",))
    assert names(with_more.graph.output) == ["tensor5", "tensor6"]


def test_recorded_constants_become_initialisers() -> None:
    model = shape_arithmetic()
    types = {**tensor_types(model), "tensor0": TensorType("float32", (2, 3, 4, 5))}
    one = extract(model, ["myReshape1"], types, constants={"tensor7": np.array([2, 3, 20])})
    assert names(one.graph.input) == ["tensor0"]
    assert run(one, {"tensor0": np.ones((2, 3, 4, 5), np.float32)})["tensor8"].shape == (2, 3, 20)


def test_impossible_wishes_are_refused() -> None:
    model = identity_add_identity()
    with pytest.raises(UserError, match="no nodes"):
        cut(model)
    with pytest.raises(UserError, match="no node 'nobody'"):
        cut(model, "nobody")
    with pytest.raises(UserError, match="None of the nodes writes 'tensor3'"):
        cut(model, "myAdd", outputs=("tensor3",))
    with pytest.raises(UserError, match="type of 'tensor1'"):
        extract(model, ["myAdd"], {})


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 25), data=st.data())
def test_a_subgraph_on_recorded_inputs_gives_the_same_bits(seed: int, size: int, data: st.DataObject) -> None:
    model = random_graph(seed, size)
    chosen = data.draw(st.sets(st.sampled_from([f"n{i}" for i in range(size)]), min_size=1))
    index = GraphIndex(model)
    feeds = generate(model, seed=seed)
    recorded = {**feeds, **run(model, feeds, index.tensors)}
    piece = cut(model, *chosen)
    assert set(names(piece.graph.node)) == chosen
    onnx.checker.check_model(piece)
    for name, array in run(piece, {name: recorded[name] for name in names(piece.graph.input)}).items():
        np.testing.assert_array_equal(array, recorded[name], err_msg=name)
