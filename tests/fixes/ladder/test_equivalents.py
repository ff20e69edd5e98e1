"""What stands in the place of refused operators computes the same, on many shapes; what is not exact stays."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from expanding import assert_expanded, assert_kept
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from rewriting import assert_same, kinds, model_of, run

from trtdebug.fixes.ladder.bytes import without_bytes
from trtdebug.fixes.ladder.equivalents import TABLE, equivalents
from trtdebug.graph.expand import expand

OURS = (equivalents,)
RNG = np.random.default_rng
INT32 = np.iinfo(np.int32)


def floats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def sizes(rng: np.random.Generator, most: int = 4) -> list[int]:
    return [int(n) for n in rng.integers(1, 6, rng.integers(0, most))]


def same_on_seeds(model_and_feeds, ops: set[str], seeds: int = 30) -> onnx.ModelProto:
    for seed in range(seeds):
        model, feeds = model_and_feeds(RNG(seed))
        result = assert_expanded(model, ops, feeds, OURS)
    return result


# matrices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opset", [11, 13, 22])
@pytest.mark.parametrize("side", [1, 2, 3])
def test_det(side: int, opset: int) -> None:
    def case(rng):
        shape = [*sizes(rng), side, side]
        return model_of("y = Det(x)", shape, opset=opset), {"x": floats(rng, *shape)}

    same_on_seeds(case, {"Det"})


def test_det_of_a_dynamic_number_of_matrices() -> None:
    assert_expanded(model_of("y = Det(x)", ["n", 3, 3]), {"Det"}, {"x": floats(RNG(0), 5, 3, 3)}, OURS)


@pytest.mark.parametrize("shape", [[2, 4, 4], [2, "n", "n"]])
def test_det_of_others_stays(shape: list[int | str]) -> None:
    assert_kept(model_of("y = Det(x)", shape), {"Det"}, OURS)


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_cumsum(exclusive: int, reverse: int) -> None:
    def case(rng):
        shape = [*sizes(rng), int(rng.integers(1, 40))]
        axis = np.int64(rng.integers(-len(shape), len(shape)))
        body = f"y = CumSum<exclusive={exclusive}, reverse={reverse}>(x, axis)"
        return model_of(body, shape, {"axis": axis}), {"x": floats(rng, *shape)}

    same_on_seeds(case, {"CumSum"})


@pytest.mark.parametrize("length", [257, "n"])
def test_a_long_cumsum_stays(length: int | str) -> None:
    assert_kept(model_of("y = CumSum(x, axis)", [2, length], {"axis": np.int64(1)}), {"CumSum"}, OURS)


# bits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
def test_bits(op: str) -> None:
    edges = np.int32([0, 1, -1, 2, -2, 5, -8, INT32.max, INT32.min, INT32.max - 1, INT32.min + 1])

    def case(rng):
        x = np.concatenate(
            [rng.integers(INT32.min, INT32.max, (2, 50)), [edges[:, None].repeat(11, 1).ravel()[:50]] * 2]
        )
        z = np.concatenate([rng.integers(INT32.min, INT32.max, 39), edges]).astype(np.int32)
        model = model_of(
            f"y = {op}(x, z)", [4, 50], opset=18, inputs="int32[50] z", outputs="int32 y", dtype="int32"
        )
        return model, {"x": x.astype(np.int32), "z": z}

    same_on_seeds(case, {op}, 10)


class Div(OpRun):
    """Of INT32, as TensorRT 8.6 computes it: of floats, and cut off."""

    def _run(self, a, b):
        if a.dtype != np.int32:
            return (a / b,)
        return (np.trunc(a.astype(np.float32) / b.astype(np.float32)).astype(np.int32),)


@pytest.mark.parametrize("op", ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
def test_bits_where_a_quotient_of_integers_is_one_of_floats(op: str) -> None:
    rng = RNG(0)
    # next to multiples of 2^16 rounding changes the quotient
    near = (np.arange(-(2**15), 2**15, 300)[:, None] * 2**16 + np.arange(-70, 70, 9)).ravel()
    edges = [INT32.min, INT32.min + 1, INT32.max, INT32.max - 1, -1, 0, 1]
    x = np.concatenate([near[near >= INT32.min], edges, rng.integers(INT32.min, INT32.max, 500)]).astype(
        np.int32
    )
    z = rng.permutation(x)
    model = model_of(
        f"y = {op}(x, z)", [len(x)], opset=18, inputs=f"int32[{len(x)}] z", outputs="int32 y", dtype="int32"
    )
    found = expand(model, lambda call: call.op == op, OURS)
    assert found is not None
    assert "Mod" not in kinds(found.model)
    (y,) = ReferenceEvaluator(found.model, new_ops=[Div]).run(None, {"x": x, "z": z})
    np.testing.assert_array_equal(y, getattr(np, op.replace("Bitwise", "bitwise_").lower())(x, z))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_bitwise_not(dtype: str) -> None:
    model = model_of("y = BitwiseNot(x)", [4], opset=18, outputs=f"{dtype} y", dtype=dtype)
    ends = np.iinfo(dtype)
    assert_expanded(model, {"BitwiseNot"}, {"x": np.array([0, 7, ends.max, ends.min], dtype)}, OURS)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "int16"])
def test_bits_of_other_types_stay(dtype: str) -> None:
    model = model_of("y = BitwiseAnd(x, x)", [4], opset=18, outputs=f"{dtype} y", dtype=dtype)
    assert_kept(model, {"BitwiseAnd"}, OURS)


# choice ---------------------------------------------------------------------------------------------------------


def test_compress() -> None:
    def case(rng):
        shape = [*sizes(rng), 4]
        axis = int(rng.integers(-len(shape), len(shape)))
        keep = rng.integers(0, 2, rng.integers(1, shape[axis] + 1)).astype(bool)
        return model_of(f"y = Compress<axis={axis}>(x, keep)", shape, {"keep": keep}), {
            "x": floats(rng, *shape)
        }

    same_on_seeds(case, {"Compress"})


def test_compress_of_all_elements() -> None:
    model = model_of("y = Compress(x, keep)", [3, 4], {"keep": np.array([True, False, False, True, True])})
    assert_expanded(model, {"Compress"}, {"x": floats(RNG(0), 3, 4)}, OURS)


def test_compress_by_an_input_stays() -> None:
    assert_kept(model_of("y = Compress(x, keep)", [3, 4], inputs="bool[4] keep"), {"Compress"}, OURS)


def test_hardmax_takes_the_first_of_equals() -> None:
    def case(rng):
        shape = [*sizes(rng), 3]
        axis = int(rng.integers(-len(shape), len(shape)))
        return model_of(f"y = Hardmax<axis={axis}>(x)", shape), {"x": np.round(floats(rng, *shape))}

    same_on_seeds(case, {"Hardmax"})


def test_hardmax_over_all_axes_behind_one_stays() -> None:
    assert_kept(model_of("y = Hardmax(x)", [3, 4, 2], opset=11), {"Hardmax"}, OURS)


@pytest.mark.parametrize("which", ["", "<detect_negative=0>", "<detect_positive=0>"])
def test_is_inf(which: str) -> None:
    model = model_of(f"y = IsInf{which}(x)", [5], outputs="bool y")
    x = np.array([1, np.inf, -np.inf, np.nan, 0], np.float32)
    assert_expanded(model, {"IsInf"}, {"x": x}, OURS)


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("sides", [[3, 4], [2, 6, 5]])
def test_affine_grid(sides: list[int], corners: int) -> None:
    shape = [2, len(sides), len(sides) + 1]
    body = f"y = AffineGrid<align_corners={corners}>(x, size)"
    model = model_of(body, shape, {"size": np.array([2, 1, *sides])}, opset=20)
    assert_expanded(model, {"AffineGrid"}, {"x": floats(RNG(0), *shape)}, OURS)


def test_affine_grid_of_one_pixel_with_aligned_corners_stays() -> None:
    values = {"size": np.array([2, 1, 1, 4])}
    model = model_of("y = AffineGrid<align_corners=1>(x, size)", [2, 2, 3], values, opset=20)
    assert_kept(model, {"AffineGrid"}, OURS)


# integers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 7, 258, 259, 1000])
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_matmul_integer_is_exact(kind: str, depth: int) -> None:
    """Held against numpy: on CPUs without VNNI onnxruntime's own product of UINT8 and INT8 saturates."""
    rng = RNG(depth)
    ends = np.iinfo(kind)
    x = rng.choice(np.array([0, 255, 254, 3], np.uint8), (4, depth))
    b = rng.choice(np.array([ends.min, ends.max, 5], kind), (depth, 5))
    for constant in (True, False):
        values = {"az": np.array(9, np.uint8), "bz": rng.integers(ends.min, ends.max, 5).astype(kind)}
        model = model_of(
            "y = MatMulInteger(x, b, az, bz)",
            [4, depth],
            values | ({"b": b} if constant else {}),
            inputs="" if constant else f"{kind}[{depth}, 5] b",
            outputs="int32 y",
            dtype="uint8",
        )
        exact = (x.astype(np.int64) - 9) @ (b.astype(np.int64) - values["bz"])
        feeds = {"x": x} | ({} if constant else {"b": b})
        assert_expanded(
            model, {"MatMulInteger"}, feeds, OURS, expected={"y": exact.astype(np.int32)}, tolerance=0
        )


def test_matmul_integer_of_unknown_depth_stays() -> None:
    model = model_of(
        "y = MatMulInteger(x, b)", [4, "k"], inputs="uint8[k, 5] b", outputs="int32 y", dtype="uint8"
    )
    assert_kept(model, {"MatMulInteger"}, OURS)


@pytest.mark.parametrize(("channels", "group"), [(3, 1), (64, 1), (6, 3)])
def test_conv_integer(channels: int, group: int) -> None:
    rng = RNG(0)
    w = rng.integers(0, 256, (6, channels // group, 3, 3)).astype(np.uint8)
    body = f"y = ConvInteger<pads=[1, 0, 1, 2], strides=[2, 1], group={group}>(x, w, xz, wz)"
    values = {"w": w, "xz": np.array(130, np.uint8), "wz": np.array(100, np.uint8)}
    model = model_of(body, [2, channels, 5, 6], values, outputs="int32 y", dtype="uint8")
    feeds = {"x": rng.integers(0, 256, (2, channels, 5, 6)).astype(np.uint8)}
    assert_expanded(model, {"ConvInteger"}, feeds, OURS, tolerance=0)


QUANTISED = {
    "QuantizeLinear",
    "QLinearMatMul",
    "QLinearConv",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
} | {"MatMulInteger"}


def no_bytes(model: onnx.ModelProto) -> bool:
    typed = onnx.shape_inference.infer_shapes(model)
    return not {v.type.tensor_type.elem_type for v in typed.graph.value_info} & {
        onnx.TensorProto.UINT8,
        onnx.TensorProto.INT8,
    }


def test_a_quantised_product_is_computed_in_floats_alone() -> None:
    def case(rng):
        values = {
            "s": np.float32(0.02),
            "z": np.array(rng.integers(100, 150), np.uint8),
            "w": rng.integers(0, 256, (32, 8)).astype(np.uint8),
            "ws": np.float32(0.01),
            "wz": np.array(128, np.uint8),
            "ys": np.float32(0.1),
        }
        body = "q = QuantizeLinear(x, s, z) c = QLinearMatMul(q, s, z, w, ws, wz, ys, z) y = DequantizeLinear(c, ys, z)"
        return model_of(body, [4, 32], values), {"x": floats(rng, 4, 32)}

    result = without_bytes(same_on_seeds(case, QUANTISED, 10))
    assert no_bytes(result)


def test_a_quantised_convolution_with_a_scale_a_channel() -> None:
    rng = RNG(0)
    values = {
        "s": np.float32(0.02),
        "z": np.array(120, np.uint8),
        "w": rng.integers(0, 256, (4, 3, 3, 3)).astype(np.uint8),
        "ws": np.float32(0.013),
        "wz": np.array(128, np.uint8),
        "ys": np.float32(0.7),
        "b": rng.integers(-500, 500, 4).astype(np.int32),
    }
    body = (
        "q = QuantizeLinear(x, s, z) c = QLinearConv<pads=[1, 1, 1, 1]>(q, s, z, w, ws, wz, ys, z, b) "
        "y = DequantizeLinear(c, ys, z)"
    )
    model = model_of(body, [1, 3, 5, 5], values)
    assert no_bytes(without_bytes(assert_expanded(model, QUANTISED, {"x": floats(rng, 1, 3, 5, 5)}, OURS)))


def test_dynamic_quantisation_is_computed_in_floats_alone() -> None:
    def case(rng):
        values = {"w": rng.integers(0, 256, (32, 8)).astype(np.uint8), "wz": np.array(128, np.uint8)}
        body = (
            "q, s, z = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, z, wz) "
            "f = Cast<to=1>(i) y = Mul(f, s)"
        )
        return model_of(body, [4, 32], values), {"x": floats(rng, 4, 32)}

    result = without_bytes(same_on_seeds(case, QUANTISED, 10))
    assert no_bytes(result)


@pytest.mark.parametrize("x", [np.zeros((2, 3)), np.zeros((0, 3)), np.full((2, 3), -0.0)])
def test_dynamic_quantisation_of_zeros_gives_zeros(x: np.ndarray) -> None:
    """There is no range to divide by: onnxruntime takes 1 for the scale."""
    body = "q, s, z = DynamicQuantizeLinear(x) y = DequantizeLinear(q, s, z)"
    model = model_of(body, x.shape, outputs="float y, float s, uint8 z")
    feeds = {"x": x.astype(np.float32)}
    result = assert_expanded(model, QUANTISED, feeds, OURS)
    assert_same(run(model, feeds), run(without_bytes(result), feeds))


def test_bytes_that_lose_something_stay() -> None:
    """What is not whole, or beyond the range of the type, is changed by it."""
    for body in (
        "c = Clip(x, lo, hi) b = Cast<to=2>(c) y = Cast<to=1>(b)",
        "r = Round(x) b = Cast<to=2>(r) y = Cast<to=1>(b)",
        "r = Round(x) c = Clip(r, lo, far) b = Cast<to=2>(c) y = Cast<to=1>(b)",
    ):
        values = {"lo": np.float32(0), "hi": np.float32(255), "far": np.float32(256)}
        used = {name: value for name, value in values.items() if name in body}
        model = model_of(body, [4], used)
        assert without_bytes(model) is model


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_quantisation_along_an_axis(kind: str, axis: int) -> None:
    values = {"s": np.float32([0.02, 0.5, 0.1]), "z": np.array([1, 100, 7], kind)}
    body = f"q = QuantizeLinear<axis={axis}>(x, s, z) y = DequantizeLinear<axis={axis}>(q, s, z)"
    model = model_of(body, [3, 3], values)
    assert "QuantizeLinear" not in kinds(
        assert_expanded(model, QUANTISED, {"x": 5 * floats(RNG(0), 3, 3)}, OURS)
    )


def test_quantisation_along_an_axis_without_elements() -> None:
    values = {"s": np.zeros(0, np.float32), "z": np.zeros(0, np.uint8)}
    body = "q = QuantizeLinear<axis=0>(x, s, z) y = DequantizeLinear<axis=0>(q, s, z)"
    assert_expanded(model_of(body, [0, 3], values), QUANTISED, {"x": np.zeros((0, 3), np.float32)}, OURS)


@pytest.mark.parametrize("op", sorted(TABLE))
def test_an_operator_that_onnx_does_not_have_by_this_name_stays(op: str) -> None:
    """Of another domain, it may be anything."""
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 20, "my" : 1]> g (float[3, 3] x) => (float y) {{ y = my.{op}(x) }}'
    )
    assert_kept(model, {op}, OURS)
