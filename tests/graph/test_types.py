from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from negative_sizes import sliced_batch
from onnx import TensorProto, helper, numpy_helper
from seed_models import model_of, node, unsorted_with_dead_ends, value, weight, with_if

from trtdebug.graph.load import load_model
from trtdebug.graph.types import (
    TensorType,
    dtype_code,
    dtype_name,
    infer,
    tensor_types,
    value_info,
    value_type,
)


def test_types_of_inputs_outputs_intermediates_and_weights() -> None:
    types = tensor_types(with_if())
    assert types["x"] == TensorType("float32", ("N",))
    assert types["doubled"] == TensorType("float32", ("N",))
    assert types["sum"] == TensorType("float32", ())
    assert types["positive"] == TensorType("bool", ())
    assert types["a"] == TensorType("float32", ())


def test_unsorted_files_are_inferred_too() -> None:
    assert tensor_types(unsorted_with_dead_ends())["tensor2"] == TensorType("float32", ("B", 3, 64, 64))


def test_what_is_unknown_is_left_out() -> None:
    made = helper.make_node("Mystery", ["x"], ["a"], domain="nowhere")
    model = model_of([made, node("Relu", ["a"], ["y"])], [value("x", [2])], [value("y", None)])
    types = tensor_types(model)
    assert types["x"] == TensorType("float32", (2,))
    assert "a" not in types


@pytest.mark.parametrize("step", [2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1])
def test_a_slice_of_huge_steps_crashes_nothing(step: int) -> None:
    """ONNX follows values in 32 bits, and reads beyond its memory there; onnxruntime runs the model."""
    bounds = {"a": 0, "b": 4, "c": 0, "d": step}
    model = model_of(
        [node("Slice", ["x", *bounds], ["y"], "slice"), node("Neg", ["y"], ["z"], "neg")],
        [value("x", [4])],
        [value("z", ["n"])],
        [weight(name, np.int64([n])) for name, n in bounds.items()],
    )
    assert tensor_types(model)["z"].dtype == "float32"


def test_a_slice_of_a_size_below_zero_crashes_nothing() -> None:
    """Some exporters write -1 for a size that is not known; ONNX fails an assertion there, and ends the process."""
    assert tensor_types(sliced_batch())["x"] == TensorType("float32", (None, 3))


def test_large_weights_are_not_needed_to_infer() -> None:
    import numpy as np

    model = model_of(
        [node("MatMul", ["x", "w"], ["y"])],
        [value("x", ["B", 64])],
        [value("y", None)],
        [weight("w", np.ones((64, 128)))],
    )
    assert tensor_types(model)["y"].shape == ("B", 128)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (TensorProto.FLOAT, "float32"),
        (TensorProto.DOUBLE, "float64"),
        (TensorProto.FLOAT16, "float16"),
        (TensorProto.BFLOAT16, "bfloat16"),
        (TensorProto.FLOAT8E4M3FN, "float8e4m3fn"),
        (TensorProto.INT64, "int64"),
        (TensorProto.BOOL, "bool"),
        (TensorProto.STRING, "string"),
    ],
)
def test_names_of_element_types(code: int, name: str) -> None:
    assert dtype_name(code) == name
    assert dtype_code(name) == code


@pytest.mark.parametrize("shape", [None, (), (1, 2), ("N", None, 3), (0,)])
def test_value_infos_keep_the_type(shape: tuple[int | str | None, ...] | None) -> None:
    type_ = TensorType("float16", shape)
    assert value_type(value_info("x", type_)) == type_


def test_sequences_have_no_tensor_type() -> None:
    element = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    sequence = helper.make_value_info("s", helper.make_sequence_type_proto(element))
    assert value_type(sequence) is None
    assert value_type(onnx.ValueInfoProto(name="x")) is None


def test_every_tensor_of_a_real_model_is_typed(model_path: Callable[[str], Path]) -> None:
    model = load_model(model_path("magika_standard_v3_3.onnx"))
    types = tensor_types(model)
    assert all(output in types for made in model.graph.node for output in made.output)


def test_what_reads_a_sparse_weight_gives_a_tensor() -> None:
    model = model_of(
        [node("Neg", ["w"], ["less"]), node("Add", ["x", "less"], ["y"])],
        [value("x", [3])],
        [value("y", None)],
    )
    weights = numpy_helper.from_array(np.ones(2, np.float32), "w")
    indices = numpy_helper.from_array(np.array([0, 2]))
    model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(weights, indices, [3]))
    found = tensor_types(model)
    assert found["w"] == found["less"] == found["y"] == TensorType("float32", (3,))
    infer(model, strict=True)
