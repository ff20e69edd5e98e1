from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ort import run
from random_graphs import random_graph
from seed_models import identity_add_identity, mnist, shape_arithmetic, with_if

from trtdebug.core.errors import UserError
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.inputs import generate
from trtdebug.graph.isolate import beside, isolate
from trtdebug.graph.load import load_model
from trtdebug.graph.types import TensorType, tensor_types


def check_alone(model: onnx.ModelProto, feeds: dict[str, np.ndarray], small_integers: bool = False) -> int:
    """Isolates all nodes, runs them on recorded inputs, compares every bit; gives how many there were."""
    index = GraphIndex(model)
    recorded = {**feeds, **run(model, feeds, index.tensors)}
    types = {name: TensorType(array.dtype.name, array.shape) for name, array in recorded.items()}
    constants = {
        name: array
        for name, array in recorded.items()
        if small_integers and array.dtype.kind in "ib" and array.ndim <= 1
    }
    alone = isolate(model, types, index.order, constants)
    fed = {name: recorded[tensor] for name, tensor in alone.feeds.items()}
    outputs = run(alone.model, fed)
    assert outputs.keys() == alone.outputs.keys()
    for name, array in outputs.items():
        np.testing.assert_array_equal(array, recorded[alone.outputs[name][0]], err_msg=name)
    assert not GraphIndex(alone.model).ancestors(node.name for node in alone.model.graph.node)
    return len(alone.model.graph.node)


def test_every_node_stands_alone() -> None:
    model = identity_add_identity()
    alone = isolate(model, tensor_types(model), GraphIndex(model).order)
    assert [node.name for node in alone.model.graph.node] == ["myIdentity0", "myAdd", "myIdentity1"]
    assert list(alone.feeds.values()) == ["tensor0", "tensor1", "tensor2"]
    assert list(alone.outputs.values()) == [
        ("tensor1", "myIdentity0"),
        ("tensor2", "myAdd"),
        ("tensor3", "myIdentity1"),
    ]
    assert [tensor.name for tensor in alone.model.graph.initializer] == ["constant0"]
    assert (alone.model.ir_version, alone.model.opset_import) == (8, model.opset_import)


def test_a_network_alone_gives_the_same_bits() -> None:
    assert check_alone(mnist(), {"tensor-0": np.random.rand(2, 1, 28, 28).astype(np.float32)}) == 15


def test_bodies_read_inputs_of_their_own() -> None:
    assert check_alone(with_if(), {"x": np.array([1, 2, 3], np.float32)}) == 4


def test_recorded_shapes_become_constants() -> None:
    feeds = {"tensor0": np.random.rand(2, 3, 4, 5).astype(np.float32)}
    assert check_alone(shape_arithmetic(), feeds, small_integers=True) == 3


def test_unknown_types_are_skipped_with_the_reason() -> None:
    model = identity_add_identity()
    types = {name: type_ for name, type_ in tensor_types(model).items() if name != "tensor1"}
    alone = isolate(model, types, GraphIndex(model).order)
    assert alone.skipped["myIdentity0"] == "the type of its output 'tensor1' is unknown"
    assert alone.skipped["myAdd"] == "the type of its input 'tensor1' is unknown"
    assert [node.name for node in alone.model.graph.node] == ["myIdentity1"]


def test_an_unknown_node_is_an_error() -> None:
    with pytest.raises(UserError, match="no node 'nobody'"):
        isolate(with_if(), {}, ["nobody"])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 25))
def test_random_graphs_alone_give_the_same_bits(seed: int, size: int) -> None:
    model = random_graph(seed, size)
    if not isolate(model, tensor_types(model), GraphIndex(model).order).outputs:
        return  # nothing but constants
    check_alone(model, generate(model, seed=seed))


@pytest.mark.parametrize(
    ("name", "at_least"), [("magika_fast_v2_1.onnx", 49), ("silero_vad_16k_static.onnx", 40)]
)
def test_real_models_alone_give_the_same_bits(
    model_path: Callable[[str], Path], name: str, at_least: int
) -> None:
    model = load_model(model_path(name))
    assert check_alone(model, generate(model), small_integers=True) >= at_least


def test_nodes_alone_stand_beside_the_whole_model() -> None:
    model = random_graph(3, 25)
    index = GraphIndex(model)
    types = tensor_types(model)
    chosen = [n for n in index.order if index.node(n).op != "Constant"][2:9]
    isolated = isolate(model, types, chosen)
    both = beside(model, isolated.model)
    onnx.checker.check_model(both)
    assert [o.name for o in both.graph.output] == [*index.outputs, *isolated.outputs]
    names = [n.name for n in both.graph.node]
    assert len(set(names)) == len(names)
    assert {f"{n}__alone" for n in chosen if n not in isolated.skipped} <= set(names)
    reached = GraphIndex(both).ancestors([f"{n}__alone" for n in chosen if n not in isolated.skipped])
    assert not reached  # they read their own inputs and constants, and nothing that the model computes
