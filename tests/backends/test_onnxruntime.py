"""The reference backend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from emulated import node_names, reference, request, saved, written_by
from seed_models import (
    conv_with_double_weights,
    gemm_that_does_not_fit,
    identity_add_identity,
    mnist,
    model_of,
    node,
    shape_arithmetic,
    unknown_operator,
    unsorted_with_dead_ends,
    value,
    weight,
    with_if,
)

from trtdebug.backends.onnxruntime import OnnxruntimeBackend, tensor_dtypes
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import BanTactic, BreakFusion, ForcePrecision, Knob, PinPrecision
from trtdebug.graph.limits import onnxruntime_limits
from trtdebug.graph.load import load_model

X = np.full((1, 3, 64, 64), 5, np.float32)


def build(model, folder, **fields):
    return OnnxruntimeBackend().build(request(saved(model, folder), folder, **fields))


def test_probe_tells_version_and_device():
    import onnxruntime

    found = OnnxruntimeBackend().probe()
    assert (found.ok, found.version) == (True, onnxruntime.__version__)
    assert found.device in ("CPU", "CUDA")


def test_runs_the_model_as_written(tmp_path):
    engine = build(identity_add_identity(), tmp_path)
    assert engine.run({"tensor0": X})["tensor3"].tolist() == (X + 1).tolist()
    info = engine.info()
    assert (info.backend, info.device) == ("onnxruntime", OnnxruntimeBackend().probe().device)
    engine.close()


def test_any_tensor_can_be_asked_for(tmp_path):
    engine = build(identity_add_identity(), tmp_path, outputs=("tensor2", "tensor1"))
    found = engine.run({"tensor0": X})
    assert {n: float(t.flat[0]) for n, t in found.items()} == {"tensor2": 6, "tensor1": 5}


def test_some_tensors_can_be_asked_for_alone(tmp_path):
    engine = build(identity_add_identity(), tmp_path, outputs=("tensor2", "tensor1", "tensor3"))
    found = {n: float(t.flat[0]) for n, t in engine.stream_some({"tensor3", "tensor1"}, {"tensor0": X})}
    assert found == {"tensor1": 5, "tensor3": 6}
    assert list(engine.stream_some({"tensor0"}, {"tensor0": X})) == []


def test_optimisation_does_not_hide_a_tensor(tmp_path):
    path = saved(mnist(), tmp_path)
    feeds = {"tensor-0": np.ones((2, 1, 28, 28), np.float32)}
    assert len(reference(path, tmp_path, feeds, written_by(path))) == 15


def test_a_second_run_does_not_change_the_arrays_of_the_first(tmp_path):
    engine = build(identity_add_identity(), tmp_path, outputs=("tensor3", "tensor1"))
    first = engine.run({"tensor0": X})
    kept = {n: t.copy() for n, t in first.items()}
    engine.run({"tensor0": 2 * X})
    for name, tensor in kept.items():
        np.testing.assert_array_equal(first[name], tensor)
        first[name][:] = 0  # they are the caller's
    assert float(engine.run({"tensor0": X})["tensor3"].flat[0]) == 6


def test_feeds_may_be_memory_maps_and_may_be_too_many(tmp_path):
    np.save(tmp_path / "x.npy", X)
    engine = build(identity_add_identity(), tmp_path)
    feeds = {"tensor0": np.load(tmp_path / "x.npy", mmap_mode="r"), "unused": X}
    assert float(engine.run(feeds)["tensor3"].flat[0]) == 6


def test_weights_outside_the_file_are_found(tmp_path):
    onnx.save(identity_add_identity(), tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0)
    engine = OnnxruntimeBackend().build(request(tmp_path / "m.onnx", tmp_path))
    assert float(engine.run({"tensor0": X})["tensor3"].flat[0]) == 6


@pytest.mark.parametrize(
    ("model", "node", "said"),
    [
        (unknown_operator(), "unknown", "it has no implementation of UnknownNode (node 'unknown')"),
        (conv_with_double_weights(), "conv", "tensor(double)"),
        (mnist(argmax=onnx.TensorProto.INT32), "ArgMax-15", "tensor(int32)"),
        (unsorted_with_dead_ends(), None, "Graph output (tensor4) does not exist"),
    ],
)
def test_a_model_that_is_refused_is_a_build_failure_in_one_line(tmp_path, model, node, said):
    with pytest.raises(BuildFailure, match="onnxruntime cannot load the model: ") as caught:
        build(model, tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.node == node


def test_the_node_is_the_one_that_this_onnxruntime_blames(tmp_path):
    with pytest.raises(BuildFailure, match=r"[Dd]imension") as caught:
        build(gemm_that_does_not_fit(), tmp_path)
    assert caught.value.node in ("node_1", "node_3")  # the Gemm itself, or in older versions the Add after it


def test_an_opset_that_is_too_new_is_told_in_plain_words(tmp_path):
    limits = onnxruntime_limits()
    model = identity_add_identity()
    model.opset_import[0].version = limits.opset + 1
    with pytest.raises(BuildFailure) as caught:
        build(model, tmp_path)
    assert caught.value.message == (
        f"The model uses opset {limits.opset + 1}; onnxruntime {limits.version} takes at most {limits.opset}."
    )
    assert caught.value.hint == f"Export it with opset {limits.opset}, or install a newer onnxruntime."


def one_node(op: str, opset: int, dtype: int) -> onnx.ModelProto:
    inputs = ["x", "x"] if op == "Mul" else ["x"]
    model = model_of([node(op, inputs, ["y"], "only")], [value("x", [2], dtype)], [value("y", [2], dtype)])
    model.opset_import[0].version = opset
    return model


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        (
            one_node("Mul", 6, onnx.TensorProto.FLOAT),
            "The model's opset is 6, and onnxruntime begins with 7: export",
        ),
        (
            one_node("Mul", 17, onnx.TensorProto.BFLOAT16),
            "It computes in bfloat16, for which onnxruntime has few",
        ),
        (
            one_node("Atan", 17, onnx.TensorProto.DOUBLE),
            "It computes in float64: export the model in float32",
        ),
        (one_node("Relu", 17, onnx.TensorProto.INT16), ""),
    ],
)
def test_where_there_is_no_kernel_the_way_out_is_told(tmp_path, model, hint):
    with pytest.raises(
        BuildFailure, match=r"not find an implementation for .* node with name 'only'"
    ) as caught:
        build(model, tmp_path)
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) == bool(hint)
    assert caught.value.node == "only"


@pytest.mark.parametrize("name", ["capability.onnx", "custom_op_node.onnx"])
def test_real_models_with_unknown_operators_too(tmp_path, model_path, name):
    with pytest.raises(BuildFailure, match="it has no implementation of ") as caught:
        OnnxruntimeBackend().build(request(model_path(f"polygraphy/{name}"), tmp_path))
    assert caught.value.node in node_names(model_path(f"polygraphy/{name}"))


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({}, "missing"),
        ({"tensor-0": np.zeros((2, 1, 27, 28), np.float32)}, "Got: 27 Expected: 28"),
        ({"tensor-0": np.zeros((2, 1, 28, 28))}, "tensor(double)"),
    ],
)
def test_refused_feeds_are_a_build_failure_in_one_line(tmp_path, feeds, said):
    with pytest.raises(BuildFailure, match="onnxruntime cannot run the model: ") as caught:
        build(mnist(), tmp_path).run(feeds)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_node_that_breaks_at_run_time_is_named(tmp_path):
    model = model_of(
        [node("MatMul", ["a", "b"], ["y"], "mm/1")], [value("a", None), value("b", None)], [value("y", None)]
    )
    with pytest.raises(BuildFailure) as caught:
        build(model, tmp_path).run({"a": np.ones((2, 3), np.float32), "b": np.ones((2, 3), np.float32)})
    assert caught.value.node == "mm/1"


def test_what_is_no_tensor_is_said(tmp_path):
    model = model_of(
        [
            node("SequenceConstruct", ["x", "x"], ["s"], "both"),
            node("SequenceLength", ["s"], ["y"], "length"),
        ],
        [value("x", [2])],
        [value("y", [], onnx.TensorProto.INT64)],
    )
    feeds = {"x": np.ones(2, np.float32)}
    assert build(model, tmp_path).run(feeds)["y"] == 2
    with pytest.raises(BuildFailure, match="output 's' is no tensor but a list"):
        build(model, tmp_path, outputs=("s",)).run(feeds)


def test_unknown_output_is_a_build_failure(tmp_path):
    with pytest.raises(BuildFailure, match="nowhere"):
        build(identity_add_identity(), tmp_path, outputs=("nowhere",))


@pytest.mark.parametrize(
    "intervention",
    [
        PinPrecision(("a",)),
        ForcePrecision("fp16"),
        BanTactic("l", "0"),
        Knob("tf32", "off"),
        BreakFusion("t"),
    ],
)
def test_interventions_have_no_meaning_here_and_are_refused(tmp_path, intervention):
    with pytest.raises(BuildFailure, match=f"onnxruntime cannot realise {type(intervention).__name__}"):
        build(identity_add_identity(), tmp_path, interventions=[intervention])


def test_dtypes_as_onnxruntime_sees_them(tmp_path):
    found = tensor_dtypes(shape_arithmetic(), tmp_path)
    assert {found[t] for t in ("tensor0", "tensor3", "tensor8")} == {"float32"}
    assert {found[t] for t in ("tensor1", "tensor2", "tensor7", "constant0")} == {"int64"}
    assert tensor_dtypes(with_if(), tmp_path)["positive"] == "bool"
    half = model_of(
        [
            node("Cast", ["x"], ["h"], "half", to=onnx.TensorProto.FLOAT16),
            node("Add", ["h", "one"], ["y"], "add"),
        ],
        [value("x", [2])],
        [value("y", [2], onnx.TensorProto.FLOAT16)],
        [weight("one", np.float16(1))],
    )
    assert tensor_dtypes(half, tmp_path) == {"x": "float32", "h": "float16", "y": "float16", "one": "float16"}


def test_the_model_in_memory_stays_as_it_was(tmp_path):
    path: Path = saved(mnist(), tmp_path)
    model = load_model(path)
    before = model.SerializeToString()
    tensor_dtypes(model, tmp_path)
    assert model.SerializeToString() == before
