"""What the functions of the Python API take: the options of the command line as Python values."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from typing_extensions import TypedDict

from trtdebug.api import values
from trtdebug.core.errors import UserError
from trtdebug.core.words import did_you_mean

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
        inputs: one sample (arrays by input name) or several of them; or a path as `--inputs` takes it, or several
            of these. Default: random.
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
    inputs: FilePath | Sequence[FilePath] | Sample | Sequence[Sample]
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
        UserError: an argument that is not known, or one of a type or a value that is not taken.
    """
    options: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in CaseArguments.__annotations__:
            known = CaseArguments.__annotations__
            hint = did_you_mean(name, known, "help(trtdebug.CaseArguments) lists them.")
            raise UserError(f"there is no argument {name!r}.", hint)
        if name == "inputs" or value is None:
            continue
        if name == "tf32":
            options["no_tf32"] = not values.FLAG.taken(name, value)
        elif name == "mark" and isinstance(value, str) and value == "all":
            options["mark_all"] = True
        else:
            options[name] = KINDS[name].taken(name, value)
    return options


KINDS: Mapping[str, values.Kind] = {
    **dict.fromkeys(("fp16", "bf16", "int8", "tf32"), values.FLAG),
    **dict.fromkeys(("reference", "candidate", "localizer", "tactic_sources", "executor"), values.TEXT),
    **dict.fromkeys(("candidate_model", "good_tactics", "calibration_cache"), values.PATH),
    **dict.fromkeys(("plugins", "operators"), values.PATHS),
    **dict.fromkeys(("input_shapes", "min_shapes", "opt_shapes", "max_shapes"), values.SHAPES),
    **dict.fromkeys(("atol", "rtol", "rms"), values.TOLERANCES),
    **dict.fromkeys(("builds", "fix_builds", "max_memory", "worker_memory", "workers"), values.whole(1)),
    "val_range": values.RANGES,
    "mark": values.NAMES,
    "seed": values.whole(0),
    "opt_level": values.whole(0, 5),
    "timeout": values.SECONDS,
    "gpus": values.GPUS,
}
"""What each argument may be; `inputs` are looked at where they are stored."""
