"""What the functions of the Python API take: the options of the command line as Python values."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from typing_extensions import TypedDict

from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FilePath: TypeAlias = "str | os.PathLike[str]"
Sample: TypeAlias = "Mapping[str, ArrayLike]"
"""Arrays by input name, of the shape and dtype that the model takes."""
Range: TypeAlias = tuple[float, float]
"""Lowest and highest value, both allowed."""
Shapes: TypeAlias = "Mapping[str, Sequence[int]]"
Tolerances: TypeAlias = "float | Mapping[str, float]"
"""One for all outputs, or by output name."""


class CaseArguments(TypedDict, total=False):
    """Keyword arguments of `debug`, `compare` and `assert_matches`. All may be left out.

    Attributes:
        fp16: build in FP16. At most one of `fp16`, `bf16` and `int8`; with none of them in FP32.
        bf16: build in BF16.
        int8: build in INT8.
        tf32: whether TensorRT may use TF32 (default: True, as in TensorRT).
        reference: name of the backend that is trusted (default: `"onnxruntime"`).
        candidate: name of the backend under test: `"auto"` (default: TensorRT where it works, else the emulator),
            `"tensorrt"`, `"emulator"`, `"onnxruntime"` or an extension's.
        candidate_model: another ONNX file for the candidate.
        inputs: one sample (arrays by input name), several of them, or a path as `--inputs` takes it. Default: random.
        input_shapes: shapes of random inputs, by input name.
        min_shapes: smallest shapes of the optimisation profile, by input name.
        opt_shapes: shapes that it is tuned for.
        max_shapes: largest shapes.
        val_range: lowest and highest value of random inputs, for all of them or by input name.
        seed: of random inputs, 0 or more.
        atol: absolute tolerance of `|c - r| <= atol + rtol * |r|`, for all outputs or by output name.
        rtol: relative tolerance of the same rule.
        rms: relative RMS error `||c - r|| / ||r||` that is allowed. Default: the precision's.
        builds: builds as you make them, 1 or more (default: 2).
        fix_builds: fresh builds in which a fix has to hold, 1 or more (default: 2).
        good_tactics: file with the tactics of a build that is right.
        localizer: name of an extension's search strategy. Default: the built-in ones.
        plugins: TensorRT plugin libraries.
        operators: files that implement custom operators for the reference.
        calibration_cache: file with INT8 scales.
        opt_level: builder optimisation level, 0 to 5.
        tactic_sources: as `--tactic-sources`, for instance `"-CUBLAS,-CUDNN"`.
        mark: tensors that you make outputs beside the model's own; `"all"` for every tensor.
        max_memory: bytes of tensors held at once where all are observed.
        timeout: seconds that one trial may take (default: 1800).
        worker_memory: bytes of host memory that a worker may hold.
        executor: name of what runs trials (default: `"worker"`, on this machine), for instance an extension's `"dask"`.
        gpus: GPUs with a worker each: numbers as CUDA counts them, or `"all"`. Default: the first.
        workers: trials at once, for candidates that need no GPU.
    """

    fp16: bool
    bf16: bool
    int8: bool
    tf32: bool
    reference: str
    candidate: str
    candidate_model: FilePath
    inputs: FilePath | Sample | Sequence[Sample]
    input_shapes: Shapes
    min_shapes: Shapes
    opt_shapes: Shapes
    max_shapes: Shapes
    val_range: Range | Mapping[str, Range]
    seed: int
    atol: Tolerances
    rtol: Tolerances
    rms: Tolerances
    builds: int
    fix_builds: int
    good_tactics: FilePath
    localizer: str
    plugins: Sequence[FilePath]
    operators: Sequence[FilePath]
    calibration_cache: FilePath
    opt_level: int
    tactic_sources: str
    mark: Sequence[str] | Literal["all"]
    max_memory: int
    timeout: float
    worker_memory: int
    executor: str
    gpus: Sequence[int] | Literal["all"]
    workers: int


def path_of(name: str, value: FilePath, expected: str = "a path, as text or a pathlib.Path") -> Path:
    """The argument `name` as a path. Raises `UserError`, which tells what is `expected`, for what is none."""
    try:
        return Path(value)
    except TypeError:
        raise UserError(f"{name} is of type {type(value).__name__}.", f"Give {expected}.") from None


def as_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, but for `inputs`, as `request_of` takes them: by the command line's names, as its texts.

    Raises:
        UserError: an argument that is not known, or one of a type that is not taken.
    """
    options: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in CaseArguments.__annotations__:
            near = get_close_matches(name, CaseArguments.__annotations__, n=1)
            hint = f"Did you mean {near[0]}?" if near else "help(trtdebug.CaseArguments) lists them."
            raise UserError(f"there is no argument {name!r}.", hint)
        if name == "inputs" or value is None:
            continue
        if name == "tf32":
            options["no_tf32"] = not value
        elif name == "mark" and value == "all":
            options["mark_all"] = True
        else:
            options[name] = _converted(name, value)
    return options


def _converted(name: str, value: Any) -> Any:
    try:
        return _CONVERTERS.get(name, _same)(value)
    except (TypeError, ValueError, AttributeError) as error:
        expected = CaseArguments.__annotations__[name]
        expected = getattr(expected, "__forward_arg__", expected)
        raise UserError(f"{name}={value!r} is not understood: {error}.", f"Expected: {expected}.") from None


def _same(value: Any) -> Any:
    return value


def _shapes(shapes: Shapes) -> list[str]:
    return [f"{name}:[{','.join(str(int(size)) for size in shape)}]" for name, shape in shapes.items()]


def _ranges(ranges: Range | Mapping[str, Range]) -> list[str]:
    named = ranges if isinstance(ranges, Mapping) else {"": ranges}
    texts = []
    for name, (low, high) in named.items():
        texts.append(
            f"{name}:[{float(low)!r},{float(high)!r}]" if name else f"[{float(low)!r},{float(high)!r}]"
        )
    return texts


def _tolerances(values: Tolerances) -> list[str]:
    named = values if isinstance(values, Mapping) else {"": values}
    return [f"{name}:{float(value)!r}" if name else repr(float(value)) for name, value in named.items()]


def _paths(paths: Sequence[FilePath]) -> list[Path]:
    if isinstance(paths, (str, os.PathLike)):
        raise TypeError("it takes several paths, in a list")
    return [Path(path) for path in paths]


def _names(names: Sequence[str]) -> list[str]:
    if isinstance(names, str):
        raise TypeError("it takes several names, in a list")
    return [str(name) for name in names]


def _gpus(numbers: Sequence[int] | str) -> str:
    return numbers if isinstance(numbers, str) else ",".join(str(int(n)) for n in numbers)


def _count(least: int) -> Callable[[Any], int]:
    def whole(value: Any) -> int:
        number = int(value)
        if number != value or number < least:
            raise ValueError(f"it takes a whole number of {least} or more")
        return number

    return whole


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "candidate_model": Path,
    "good_tactics": Path,
    "calibration_cache": Path,
    "plugins": _paths,
    "operators": _paths,
    "input_shapes": _shapes,
    "min_shapes": _shapes,
    "opt_shapes": _shapes,
    "max_shapes": _shapes,
    "val_range": _ranges,
    "atol": _tolerances,
    "rtol": _tolerances,
    "rms": _tolerances,
    "mark": _names,
    "seed": _count(0),
    "builds": _count(1),
    "fix_builds": _count(1),
    "opt_level": _count(0),
    "max_memory": _count(1),
    "worker_memory": _count(1),
    "workers": _count(1),
    "gpus": _gpus,
}
