"""onnxruntime's outputs one by one: the same as all at once, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from emulated import request, saved, written_by
from onnx import TensorProto
from seed_models import mnist, model_of, node, shape_arithmetic, value, weight, with_if

from trtdebug.backends import ort_sessions
from trtdebug.backends.base import BoundsMemory, BuildRequest, Streams
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.backends.ort_values import computed
from trtdebug.core.errors import BuildFailure


def build(
    path: Path, folder: Path, outputs=None, max_memory=None, precision="fp32", backend=OnnxruntimeBackend
):
    asked = request(path, folder, precision, outputs=outputs)
    return backend().build(BuildRequest(**{**vars(asked), "max_memory": max_memory}))


def streamed(engine, feeds):
    """The engine's memory is its own: what is kept is a copy."""
    return {name: np.array(value) for name, value in engine.stream(feeds)}


@pytest.fixture
def opened(monkeypatch):
    """The outputs of every session that is opened from now on."""
    sessions = []
    own = ort_sessions.Sessions._open

    def open(self, nodes, outputs, *inputs, **options):
        sessions.append(list(outputs))
        return own(self, nodes, sessions[-1], *inputs, **options)

    monkeypatch.setattr(ort_sessions.Sessions, "_open", open)
    return sessions


@pytest.mark.parametrize("backend", [OnnxruntimeBackend, EmulatorBackend])
@pytest.mark.parametrize("max_memory", [1, 5_000, 100_000, None])
def test_batches_give_what_one_run_gives(tmp_path, backend, max_memory):
    path = saved(mnist(), tmp_path)
    feeds = {"tensor-0": np.random.default_rng(0).standard_normal((2, 1, 28, 28)).astype(np.float32)}
    engine = build(path, tmp_path, written_by(path), max_memory, "fp16", backend)
    once, one_by_one = engine.run(feeds), streamed(engine, feeds)
    assert list(one_by_one) == list(once) == list(written_by(path))
    for name, tensor in once.items():
        np.testing.assert_array_equal(one_by_one[name], tensor)
        assert one_by_one[name].dtype == tensor.dtype


def test_the_backends_say_so():
    for backend in (OnnxruntimeBackend(), EmulatorBackend()):
        assert isinstance(backend, BoundsMemory)


def chain(length: int, shape: list) -> onnx.ModelProto:
    nodes = [node("Neg", [f"t{i}"], [f"t{i + 1}"], f"n{i}") for i in range(length)]
    return model_of(nodes, [value("t0", shape)], [value(f"t{length}", shape)])


def test_sizes_that_the_model_tells_need_no_run(tmp_path, opened):
    tensors = [f"t{i + 1}" for i in range(6)]
    engine = build(saved(chain(6, [256]), tmp_path), tmp_path, tensors, 2 * 1024)
    found = streamed(engine, {"t0": np.ones(256, np.float32)})
    assert [float(t[0]) for t in found.values()] == [-1, 1, -1, 1, -1, 1]
    assert opened[1:] == [tensors[:2], tensors[2:4], tensors[4:]]


def test_sizes_that_depend_on_the_input_are_measured(tmp_path, opened):
    """By a run that gives shapes only."""
    tensors = [f"t{i + 1}" for i in range(6)]
    engine = build(saved(chain(6, ["n"]), tmp_path), tmp_path, tensors, 2 * 1024)
    streamed(engine, {"t0": np.ones(256, np.float32)})
    assert opened[1] == [f"trtdebug shape of {t}" for t in tensors]
    assert opened[2:] == [tensors[:2], tensors[2:4], tensors[4:]]


def test_what_fits_is_one_session(tmp_path, opened):
    engine = build(saved(chain(6, [256]), tmp_path), tmp_path, [f"t{i + 1}" for i in range(6)])
    assert isinstance(engine, Streams)
    streamed(engine, {"t0": np.ones(256, np.float32)})
    assert len(opened) == 1


def test_the_models_own_outputs_are_never_split(tmp_path, opened):
    streamed(build(saved(chain(6, ["n"]), tmp_path), tmp_path, None, 1), {"t0": np.ones(256, np.float32)})
    assert len(opened) == 1


def test_only_the_way_to_a_batch_is_computed(tmp_path):
    """A node that breaks, behind the batch, breaks nothing."""
    nodes = [
        node("Neg", ["x"], ["a"], "a"),
        node("Neg", ["a"], ["b"], "b"),
        node("MatMul", ["b", "y"], ["z"], "z"),
    ]
    model = model_of(nodes, [value("x", None), value("y", None)], [value("z", None)])
    engine = build(saved(model, tmp_path), tmp_path, ["a", "b", "z"], 1)
    feeds = {"x": np.ones((2, 3), np.float32), "y": np.ones((2, 3), np.float32)}
    session = engine.sessions.part(["a"])
    assert [name for name, _ in computed(session, ["a"], feeds)] == ["a"]
    with pytest.raises(BuildFailure, match="cannot run"):
        engine.run(feeds)


def test_a_batch_goes_on_from_those_before_it(tmp_path, monkeypatch):
    """Each node is computed once, and only what is still needed is kept."""
    nodes = [node("Neg", [f"t{i}"], [f"t{i + 1}"], f"n{i}") for i in range(8)]
    nodes.append(node("Add", ["t8", "t2"], ["y"], "skip"))
    path = saved(model_of(nodes, [value("t0", [256])], [value("y", [256])]), tmp_path)
    parts = []
    own = ort_sessions.Sessions._open

    def open(self, nodes, outputs, inputs=(), **options):
        parts.append(([n.name for n in nodes], sorted(i.name for i in inputs)))
        return own(self, nodes, outputs, inputs, **options)

    monkeypatch.setattr(ort_sessions.Sessions, "_open", open)
    engine = build(path, tmp_path, [*(f"t{i + 1}" for i in range(8)), "y"], 3 * 1024)
    found = streamed(engine, {"t0": np.arange(256, dtype=np.float32)})
    assert parts[1:] == [
        (["n0", "n1", "n2"], []),
        (["n3", "n4", "n5"], ["t3"]),
        (["n6", "n7", "skip"], ["t2", "t6"]),
    ]
    np.testing.assert_array_equal(found["y"], 2 * np.arange(256))


def test_strings_are_streamed_too(tmp_path):
    nodes = [
        node("Identity", ["x"], ["a"], "a"),
        node("Identity", ["a"], ["b"], "b"),
        node("Shape", ["b"], ["y"], "y"),
    ]
    model = model_of(nodes, [value("x", [2], TensorProto.STRING)], [value("y", [1], TensorProto.INT64)])
    engine = build(saved(model, tmp_path), tmp_path, ["a", "b", "y"], 1)
    found = streamed(engine, {"x": np.array(["u", "v"])})
    assert (found["b"].tolist(), found["y"].tolist()) == (["u", "v"], [2])


def test_constants_bodies_and_shapes(tmp_path):
    for number, model in enumerate((shape_arithmetic(), with_if())):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = saved(model, folder)
        rng = np.random.default_rng(0)
        shapes = {i.name: [d.dim_value or 2 for d in i.type.tensor_type.shape.dim] for i in model.graph.input}
        feeds = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
        engine = build(path, folder, written_by(path), 1)
        for name, tensor in engine.run(feeds).items():
            np.testing.assert_array_equal(streamed(engine, feeds)[name], tensor)


@pytest.mark.parametrize(
    ("to", "dtype"),
    [
        (TensorProto.BFLOAT16, ml_dtypes.bfloat16),
        (TensorProto.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn),
        (TensorProto.FLOAT8E5M2, ml_dtypes.float8_e5m2),
    ],
)
def test_narrow_floats_come_as_they_are(tmp_path, to, dtype):
    """`InferenceSession.run` has no numpy type for them."""
    cast = onnx.helper.make_node("Cast", ["x"], ["y"], "cast", to=to)
    model = model_of(
        [cast], [value("x", [2, 3])], [onnx.helper.make_tensor_value_info("y", to, [2, 3])], opset=19
    )
    x = np.array([[1, -2.5, 3], [0.1, 7, -0.01]], np.float32)
    engine = build(saved(model, tmp_path), tmp_path)
    for found in (engine.run({"x": x}), streamed(engine, {"x": x})):
        assert found["y"].dtype == dtype
        np.testing.assert_array_equal(found["y"].astype(np.float32), x.astype(dtype).astype(np.float32))


def test_weights_as_outputs_are_the_callers(tmp_path):
    model = model_of(
        [node("Add", ["x", "w"], ["y"], "add")],
        [value("x", [2])],
        [value("y", [2])],
        [weight("w", np.array([1, 2], np.float32))],
    )
    engine = build(saved(model, tmp_path), tmp_path, ["y", "w"])
    found = engine.run({"x": np.zeros(2, np.float32)})
    found["w"][:] = 7
    assert engine.run({"x": np.zeros(2, np.float32)})["y"].tolist() == [1, 2]


def test_a_model_that_is_too_large_for_memory_goes_through_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(ort_sessions, "_PROTOBUF_LIMIT", 1)
    engine = build(saved(chain(3, [4]), tmp_path), tmp_path, ["t1", "t3"], 1)
    assert [t.tolist()[0] for t in streamed(engine, {"t0": np.ones(4, np.float32)}).values()] == [-1, -1]


def test_the_model_is_left_as_it_was(tmp_path):
    model = chain(3, [4])
    before = model.SerializeToString(deterministic=True)
    ort_sessions.Sessions(model, tmp_path).part(["t1"])
    assert model.SerializeToString(deterministic=True) == before


def test_narrow_floats_inside_are_streamed_too(tmp_path):
    """They come out, but cannot be fed to the next batch: each batch is computed from the start."""
    cast = [onnx.helper.make_node("Cast", [a], [b], b, to=to) for a, b, to in (("x", "b", 16), ("b", "y", 1))]
    model = model_of(cast, [value("x", [2])], [value("y", [2])], opset=19)
    engine = build(saved(model, tmp_path), tmp_path, ["b", "y"], 1)
    found = streamed(engine, {"x": np.array([0.1, 2], np.float32)})
    assert found["b"].dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(found["y"], found["b"].astype(np.float32))


def test_a_node_whose_outputs_fall_into_different_batches(tmp_path):
    model = model_of(
        [
            node("Split", ["x"], ["a", "b"], "split", axis=0, num_outputs=2),
            node("Relu", ["a"], ["c"], "relu"),
            node("Neg", ["a"], ["d"], "neg"),
        ],
        [value("x", [2, 4])],
        [value("c", [1, 4])],
        opset=18,
    )
    engine = build(saved(model, tmp_path), tmp_path, outputs=("d", "a", "b", "c"), max_memory=33)
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    found = streamed(engine, {"x": x})
    np.testing.assert_array_equal(found["b"], x[1:])
    np.testing.assert_array_equal(found["c"], x[:1])
