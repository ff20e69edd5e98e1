"""What a model's inputs want: their types, samples checked against them, samples generated for them."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray

from trtdebug.core.case import Profile
from trtdebug.core.errors import UserError
from trtdebug.graph.ranges import EVERY_INPUT, index_ranges
from trtdebug.graph.shapes import shape_text
from trtdebug.graph.types import TensorType, value_type
from trtdebug.graph.walk import fed_inputs

Tensor = NDArray[np.generic]
Shape = tuple[int, ...]

OPEN_FIRST_AXIS = 1
"""Size of an open dimension that is the first of some input: most often the batch."""
OPEN_OTHER_AXIS = 64
"""Size of any other open dimension."""


@dataclass(frozen=True)
class OpenDimension:
    """A dynamic dimension for which nobody gave a size, and the size that was taken.

    Attributes:
        name: the model's name of it, None where it has none.
    """

    input: str
    axis: int
    name: str | None
    size: int


def input_types(model: onnx.ModelProto) -> dict[str, TensorType]:
    """Declared type of each graph input without an initialiser, in the model's order.

    Raises:
        UserError: an input is no tensor (a sequence, say).
    """
    types: dict[str, TensorType] = {}
    for value in fed_inputs(model.graph):
        type_ = value_type(value)
        if type_ is None:
            raise UserError(
                f"Input {value.name!r} of the model is no tensor.",
                "TensorRT takes tensors: change the model.",
            )
        types[value.name] = type_
    return types


def input_shapes(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shape of each input: as given, as declared, or with sizes taken for what is open.

    Raises:
        UserError: a name is no input, a shape does not fit the model, or an input's rank is unknown and no
            shape is given for it.
    """
    return _resolve(model, shapes)[0]


def open_dimensions(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> tuple[OpenDimension, ...]:
    """The dimensions that `input_shapes` had to choose. Raises as it does."""
    return _resolve(model, shapes)[1]


def generate(
    model: onnx.ModelProto,
    *,
    shapes: Mapping[str, Shape] | None = None,
    seed: int = 0,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> dict[str, Tensor]:
    """One sample of random inputs; an input's values depend on its name, shape, range and the seed only.

    Floats are uniform between low and high; integers in low..high, both included; bools either.
    The range is that of the input's name; for an input that the model uses as an index (see `index_ranges`)
    what the model allows; else that of `EVERY_INPUT`; else 0 to 1.

    Raises:
        UserError: as `input_shapes`; a range for a name that is no input, or without any integer for an
            integer input; an element type that can't be generated.
    """
    ranges = ranges or {}
    types = input_types(model)
    for name in ranges:
        if name != EVERY_INPUT:
            _known(name, types)
    sizes = input_shapes(model, shapes or {})
    of_model = index_ranges(model)
    default = ranges.get(EVERY_INPUT, (0.0, 1.0))
    return {
        name: _random(name, type_.dtype, sizes[name], seed, ranges.get(name) or of_model.get(name) or default)
        for name, type_ in types.items()
    }


def check_sample(
    model: onnx.ModelProto, sample: Mapping[str, Tensor], profiles: Mapping[str, Profile] | None = None
) -> None:
    """Checks that a sample can be fed to the model as it is: names, dtypes, shapes, values. Converts nothing.

    Raises:
        UserError: an unknown or missing input; another dtype, rank or fixed dimension than the model's; two
            sizes for one named dimension; NaN or Inf; a shape outside the profile.
    """
    types = input_types(model)
    for name in sample:
        _known(name, types)
    missing = [name for name in types if name not in sample]
    if missing:
        raise UserError(
            f"The sample has no input {missing[0]!r}; the model wants {_list(types)}.",
            "Add it to the sample.",
        )
    for name, type_ in types.items():
        if sample[name].dtype.name != _numpy_name(type_.dtype):
            raise UserError(
                f"Input {name!r} is {sample[name].dtype.name}, but the model wants {type_.dtype}.",
                f"Convert it: array.astype({_numpy_name(type_.dtype)!r}).",
            )
    _fit(types, {name: sample[name].shape for name in types})
    for name in types:
        _finite(name, sample[name])
        if profiles and name in profiles:
            _inside(name, sample[name].shape, profiles[name])


def _resolve(
    model: onnx.ModelProto, given: Mapping[str, Shape]
) -> tuple[dict[str, Shape], tuple[OpenDimension, ...]]:
    types = input_types(model)
    for name in given:
        _known(name, types)
    bound = _fit(types, given)
    first = {type_.shape[0] for type_ in types.values() if type_.shape and isinstance(type_.shape[0], str)}
    shapes: dict[str, Shape] = {}
    opened: list[OpenDimension] = []
    for name, type_ in types.items():
        if name in given:
            shapes[name] = tuple(given[name])
            continue
        if type_.shape is None:
            raise UserError(
                f"The model does not say how many dimensions input {name!r} has.",
                f"Give its shape: --input-shapes '{name}:[1,...]'.",
            )
        sizes = []
        for axis, dim in enumerate(type_.shape):
            if isinstance(dim, int):
                sizes.append(dim)
            elif dim is not None and dim in bound:
                sizes.append(bound[dim])
            else:
                size = OPEN_FIRST_AXIS if axis == 0 or dim in first else OPEN_OTHER_AXIS
                opened.append(OpenDimension(name, axis, dim, size))
                sizes.append(size)
                if dim is not None:
                    bound[dim] = size
        shapes[name] = tuple(sizes)
    return shapes, tuple(opened)


def _fit(types: Mapping[str, TensorType], shapes: Mapping[str, Shape]) -> dict[str, int]:
    """Sizes of the named dimensions, from shapes that fit the declared ones."""
    bound: dict[str, int] = {}
    where: dict[str, str] = {}
    for name, shape in shapes.items():
        wanted = types[name].shape
        if wanted is None:
            continue
        if len(wanted) != len(shape) or any(
            isinstance(dim, int) and dim != size for dim, size in zip(wanted, shape, strict=True)
        ):
            raise UserError(
                f"Input {name!r} has shape {shape_text(shape)}, but the model wants {shape_text(wanted)}.",
                "Give a shape that fits; only named or unknown (?) dimensions are free.",
            )
        for dim, size in zip(wanted, shape, strict=True):
            if isinstance(dim, str) and bound.setdefault(dim, size) != size:
                raise UserError(
                    f"Dimension {dim!r} is {bound[dim]} in {where[dim]!r} but {size} in {name!r}.",
                    "The model uses one name for both, so they have to be equal.",
                )
            if isinstance(dim, str):
                where.setdefault(dim, name)
    return bound


def _known(name: str, types: Mapping[str, TensorType]) -> None:
    if name not in types:
        near = difflib.get_close_matches(name, types, n=1)
        raise UserError(
            f"The model has no input {name!r}; its inputs are {_list(types)}.",
            f"Did you mean {near[0]!r}?" if near else "Call it as the model does.",
        )


def _finite(name: str, array: Tensor) -> None:
    if array.dtype.kind in "iub":
        return
    wide = array if array.dtype.kind in "fc" else array.astype(np.float32)
    bad = ~np.isfinite(wide)
    if bad.any():
        first = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
        raise UserError(
            f"Input {name!r} holds {int(bad.sum())} NaN or Inf of {bad.size} values, the first at {first}.",
            "No comparison means anything on such inputs: mend them.",
        )


def _inside(name: str, shape: Shape, profile: Profile) -> None:
    fits = len(shape) == len(profile.min) and all(
        low <= size <= high for low, size, high in zip(profile.min, shape, profile.max, strict=True)
    )
    if not fits:
        raise UserError(
            f"Input {name!r} has shape {shape_text(shape)}, outside the profile {shape_text(profile.min)} to "
            f"{shape_text(profile.max)}.",
            "Widen the profile or give another shape.",
        )


def _random(name: str, dtype: str, shape: Shape, seed: int, limits: tuple[float, float]) -> Tensor:
    low, high = limits
    stream = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    generator = np.random.default_rng([seed, stream])
    if dtype == "bool":
        return generator.integers(0, 2, shape).astype(np.bool_)
    if dtype.startswith(("float", "bfloat")):
        target = _numpy_dtype(name, dtype)
        largest = float(ml_dtypes.finfo(target).max)  # type: ignore[no-untyped-call]
        if max(-low, high) > largest or not math.isfinite(high - low):
            raise UserError(f"Range [{low}, {high}] of input {name!r} does not fit {dtype}.", "Give another.")
        return generator.uniform(low, high, shape).astype(target)
    if dtype.startswith(("int", "uint")):
        target = _numpy_dtype(name, dtype)
        lowest, highest = int(np.ceil(low)), int(np.floor(high))
        if lowest > highest:
            raise UserError(f"Range [{low}, {high}] of input {name!r} holds no {dtype}.", "Give a wider one.")
        limit = ml_dtypes.iinfo(target)  # type: ignore[no-untyped-call]
        if lowest < limit.min or highest > limit.max:
            raise UserError(f"Range [{low}, {high}] of input {name!r} does not fit {dtype}.", "Give another.")
        wide = np.uint64 if dtype == "uint64" else np.int64
        return generator.integers(lowest, highest, shape, dtype=wide, endpoint=True).astype(target)
    raise UserError(f"Inputs of type {dtype} ({name!r}) can't be generated.", "Give them with --inputs.")


def _numpy_dtype(name: str, dtype: str) -> np.dtype[np.generic]:
    numpy_name = _numpy_name(dtype)
    try:
        return np.dtype(getattr(ml_dtypes, numpy_name, numpy_name))
    except TypeError:
        raise UserError(
            f"Inputs of type {dtype} ({name!r}) have no numpy type.", "Change the model."
        ) from None


def _numpy_name(dtype: str) -> str:
    """Name of the numpy (or ml_dtypes) type: ONNX writes float8e4m3fn for what they call float8_e4m3fn."""
    return dtype.replace("float8e", "float8_e").replace("float4e", "float4_e")


def _list(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
