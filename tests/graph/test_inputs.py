from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from seed_models import identity_add_identity, mnist, model_of, node, shape_arithmetic, value

from trtdebug.core.case import Profile
from trtdebug.core.errors import UserError
from trtdebug.graph.inputs import (
    OpenDimension,
    check_sample,
    generate,
    input_shapes,
    input_types,
    open_dimensions,
)
from trtdebug.graph.load import load_model
from trtdebug.graph.ranges import parse_ranges
from trtdebug.graph.shapes import parse_shapes

SHAPE = {"tensor0": (2, 3, 4, 5)}


def two_inputs() -> onnx.ModelProto:
    """Like a voice detector: batch is axis 0 of one input and axis 1 of the other."""
    return model_of(
        [node("Relu", ["input"], ["y"]), node("Relu", ["state"], ["z"])],
        [value("state", [2, "batch", 128]), value("input", ["batch", "sequence"])],
        [value("y", None), value("z", None)],
    )


# Shapes


def test_open_dimensions_are_chosen_and_told() -> None:
    assert input_shapes(two_inputs(), {}) == {"state": (2, 1, 128), "input": (1, 64)}
    assert open_dimensions(two_inputs(), {}) == (
        OpenDimension("state", 1, "batch", 1),
        OpenDimension("input", 1, "sequence", 64),
    )


def test_a_given_shape_binds_the_names_of_all_inputs() -> None:
    assert input_shapes(two_inputs(), {"input": (5, 576)}) == {"state": (2, 5, 128), "input": (5, 576)}
    assert open_dimensions(two_inputs(), {"input": (5, 576)}) == ()


@pytest.mark.parametrize("shape", [(4, 3, 64, 64), (4, 3, 5), (4, 2, 4, 5)])
def test_a_shape_that_does_not_fit_is_refused(shape: tuple[int, ...]) -> None:
    """Seed T2: polygraphy warned, used another shape and printed PASSED."""
    with pytest.raises(UserError, match=r"\[.*\], but the model wants \[A,3,B,5\]"):
        generate(shape_arithmetic(), shapes={"tensor0": shape})
    with pytest.raises(UserError, match=r"the model wants \[A,3,B,5\]"):
        check_sample(shape_arithmetic(), {"tensor0": np.zeros(shape, np.float32)})


@pytest.mark.parametrize("shape", [(1, 3, 1, 5), (2, 3, 4, 5), (4, 3, 16, 5)])
def test_shapes_that_fit_are_taken(shape: tuple[int, ...]) -> None:
    sample = generate(shape_arithmetic(), shapes={"tensor0": shape})
    check_sample(shape_arithmetic(), sample)
    assert sample["tensor0"].shape == shape


def test_an_input_of_unknown_rank_needs_a_shape() -> None:
    model = model_of([node("Relu", ["x"], ["y"])], [value("x", None)], [value("y", None)])
    with pytest.raises(UserError, match="how many dimensions input 'x' has"):
        generate(model)
    assert generate(model, shapes={"x": (2, 3)})["x"].shape == (2, 3)


def test_a_sequence_is_no_input_for_tensorrt() -> None:
    element = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    sequence = helper.make_value_info("s", helper.make_sequence_type_proto(element))
    with pytest.raises(UserError, match="'s' of the model is no tensor"):
        input_types(model_of([], [sequence], []))


# Generated samples


def typed(dtype: int) -> onnx.ModelProto:
    return model_of([node("Identity", ["x"], ["y"])], [value("x", [1000], dtype)], [value("y", None, dtype)])


def test_values_depend_on_name_and_seed_only() -> None:
    wider = model_of([], [value("new", [3]), value("tensor0", ["A", 3, "B", 5])], [])
    one, two = generate(shape_arithmetic(), shapes=SHAPE), generate(wider, shapes=SHAPE)
    np.testing.assert_array_equal(one["tensor0"], two["tensor0"])
    other = generate(shape_arithmetic(), shapes=SHAPE, seed=1)
    assert not np.array_equal(one["tensor0"], other["tensor0"])


@pytest.mark.parametrize(
    ("dtype", "name"),
    [(TensorProto.FLOAT, "float32"), (TensorProto.FLOAT16, "float16"), (TensorProto.BFLOAT16, "bfloat16")],
)
def test_floats_fill_their_range(dtype: int, name: str) -> None:
    default = generate(typed(dtype))["x"]
    assert default.dtype.name == name
    assert 0 <= default.min() < 0.1 < 0.9 < default.max() <= 1
    wide = generate(typed(dtype), ranges={"": (-8, 8), "x": (-4, 2)})["x"]
    assert -4 <= wide.min() < -3.5 < 1.5 < wide.max() <= 2


def test_integers_include_both_ends_and_bools_both_values() -> None:
    assert set(generate(typed(TensorProto.INT64), ranges={"x": (-1, 2)})["x"]) == {-1, 0, 1, 2}
    assert set(generate(typed(TensorProto.INT32))["x"]) == {0, 1}
    assert set(generate(typed(TensorProto.BOOL))["x"]) == {False, True}
    assert generate(typed(TensorProto.UINT8), ranges={"x": (0, 255)})["x"].max() > 250


@pytest.mark.parametrize(
    ("dtype", "ranges", "message"),
    [
        (TensorProto.INT8, {"x": (0.0, 300.0)}, "does not fit int8"),
        (TensorProto.INT64, {"x": (0.2, 0.8)}, "holds no int64"),
        (TensorProto.FLOAT, {"nobody": (0.0, 1.0)}, "no input 'nobody'"),
        (TensorProto.FLOAT, {"x": (0.0, 1e40)}, "does not fit float32"),
        (TensorProto.FLOAT16, {"x": (-1e5, 0.0)}, "does not fit float16"),
        (TensorProto.DOUBLE, {"x": (-1.7e308, 1.7e308)}, "does not fit float64"),
        (TensorProto.STRING, {}, "string"),
    ],
)
def test_impossible_ranges_are_refused(
    dtype: int, ranges: dict[str, tuple[float, float]], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        generate(typed(dtype), ranges=ranges)


def test_indices_come_from_the_model(model_path: Callable[[str], Path]) -> None:
    model = load_model(model_path("minilm_l6_v4096.onnx"))
    sample = generate(model, ranges={"": (-1.0, 1.0)}, shapes={"input_ids": (4, 100)})
    assert sample["input_ids"].min() >= 0
    assert 3900 < sample["input_ids"].max() <= 4095
    assert sample["attention_mask"].shape == (4, 100)


# Samples of the user


def test_a_right_sample_is_taken() -> None:
    check_sample(mnist(), {"tensor-0": np.zeros((4, 1, 28, 28), np.float32)})


def test_a_name_that_is_far_off_is_no_misspelling() -> None:
    with pytest.raises(UserError, match="no input 'image'; its inputs are 'tensor-0'") as caught:
        check_sample(mnist(), {"image": np.zeros((1, 1, 28, 28), np.float32)})
    assert caught.value.hint == "Call it as the model does."


@pytest.mark.parametrize(
    ("sample", "message", "hint"),
    [
        (
            {"tensor-O": np.zeros((1, 1, 28, 28), np.float32)},
            "no input 'tensor-O'",
            "Did you mean 'tensor-0'",
        ),
        ({}, "has no input 'tensor-0'", ""),
        ({"tensor-0": np.zeros((1, 1, 28, 28))}, "is float64, but the model wants float32", "astype"),
        (
            {"tensor-0": np.zeros((1, 28, 28), np.float32)},
            r"shape \[1,28,28\], but the model wants \[B,1,28,28\]",
            "",
        ),
    ],
)
def test_wrong_samples_are_refused(sample: dict[str, np.ndarray], message: str, hint: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        check_sample(mnist(), sample)
    assert hint in caught.value.hint


def test_integers_are_not_widened_silently() -> None:
    with pytest.raises(UserError, match="'x' is int32, but the model wants int64"):
        check_sample(typed(TensorProto.INT64), {"x": np.zeros(1000, np.int32)})


def test_one_name_can_not_have_two_sizes() -> None:
    sample = {"state": np.zeros((2, 3, 128), np.float32), "input": np.zeros((4, 64), np.float32)}
    with pytest.raises(UserError, match="'batch' is 3 in 'state' but 4 in 'input'"):
        check_sample(two_inputs(), sample)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_inf_are_refused_with_their_place(bad: float) -> None:
    array = np.zeros((2, 3, 64, 64), np.float32)
    array[1, 2, 3, 4] = array[1, 2, 3, 5] = bad
    with pytest.raises(UserError, match=r"holds 2 NaN or Inf of 24576 values, the first at \(1, 2, 3, 4\)"):
        check_sample(identity_add_identity(), {"tensor0": array})


def test_shapes_outside_the_profile_are_refused() -> None:
    """Seed T3: A is at most 4."""
    profile = {"tensor0": Profile((1, 3, 1, 5), (2, 3, 4, 5), (4, 3, 16, 5))}
    check_sample(shape_arithmetic(), {"tensor0": np.zeros((4, 3, 1, 5), np.float32)}, profile)
    with pytest.raises(UserError, match=r"\[8,3,4,5\], outside the profile \[1,3,1,5\] to \[4,3,16,5\]"):
        check_sample(shape_arithmetic(), {"tensor0": np.zeros((8, 3, 4, 5), np.float32)}, profile)


def test_names_with_colons_are_ordinary_names() -> None:
    """Seed 001-003 T1."""
    model = mnist(colon_names=True)
    sample = generate(model, shapes=parse_shapes(["x:0:4x1x28x28"]), ranges=parse_ranges(["x:0:[2,3]"]))
    check_sample(model, sample)
    assert sample["x:0"].shape == (4, 1, 28, 28)
    assert sample["x:0"].min() >= 2
