"""Options that several commands have: once, here."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, Union, get_args, get_origin, get_type_hints

import typer

from trtdebug.api.place import EXECUTOR, Place
from trtdebug.cli import tolerances
from trtdebug.cli.again import before_command
from trtdebug.cli.limits import MaxMemory, WorkerMemory
from trtdebug.cli.workers import ExecutorName, Gpus, Workers

if TYPE_CHECKING:
    from trtdebug.stages.opening.preflight import CaseRequest

_CASE, _BUILD, _INPUTS, _VERDICT, _SESSION = "Case", "Build", "Inputs", "Verdict", "Session and output"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""Of a command that runs nothing."""


@dataclass(frozen=True, kw_only=True)
class RunningOptions:
    """What a command line says of how trials run, and of what is printed. Field names are parameter names."""

    timeout: Annotated[
        float, typer.Option(help="Seconds that one trial may take.", min=1, max=1e7, rich_help_panel=_SESSION)
    ] = 1800.0
    worker_memory: WorkerMemory = None
    executor: ExecutorName = EXECUTOR
    gpus: Gpus = None
    workers: Workers = None
    json: Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=_SESSION)] = False
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.", rich_help_panel=_SESSION)] = False

    def place(self, folder: Path) -> Place:
        """The session in a folder, with what runs its trials."""
        return Place(folder, self.timeout, self.worker_memory, self.executor, self.gpus, self.workers)


@dataclass(frozen=True)
class CaseOptions(RunningOptions):
    """What a command line says of a case, too."""

    model: Annotated[Path, typer.Argument(help="ONNX model.", show_default=False)]
    fp16: Annotated[bool, typer.Option("--fp16", help="Build in FP16.", rich_help_panel=_BUILD)] = False
    bf16: Annotated[bool, typer.Option("--bf16", help="Build in BF16.", rich_help_panel=_BUILD)] = False
    int8: Annotated[bool, typer.Option("--int8", help="Build in INT8.", rich_help_panel=_BUILD)] = False
    no_tf32: Annotated[bool, typer.Option("--no-tf32", help="Forbid TF32.", rich_help_panel=_BUILD)] = False
    reference: Annotated[
        str, typer.Option(metavar="NAME", help="Backend that is trusted.", rich_help_panel=_CASE)
    ] = "onnxruntime"
    candidate: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Backend under test: auto, tensorrt, emulator, onnxruntime, ...",
            rich_help_panel=_CASE,
        ),
    ] = "auto"
    candidate_model: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Option(metavar="FILE", help="Another model for the candidate.", rich_help_panel=_CASE),
    ] = None
    inputs: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            metavar="FILE|DIR",
            help="Inputs: .npz, folder of .npy, polygraphy JSON; repeatable. Default: random.",
            rich_help_panel=_INPUTS,
        ),
    ] = None
    input_shapes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="NAME:SHAPE", help="x:[1,3,8,8] or x:1x3x8x8; repeatable.", rich_help_panel=_INPUTS
        ),
    ] = None
    min_shapes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="NAME:SHAPE", help="Profile: smallest.", rich_help_panel=_BUILD),
    ] = None
    opt_shapes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="NAME:SHAPE", help="Profile: tuned for.", rich_help_panel=_BUILD),
    ] = None
    max_shapes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="NAME:SHAPE", help="Profile: largest.", rich_help_panel=_BUILD),
    ] = None
    val_range: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="[NAME:][LOW,HIGH]", help="Range of random inputs; repeatable.", rich_help_panel=_INPUTS
        ),
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of random inputs.", min=0, rich_help_panel=_INPUTS)] = 0
    atol: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar=tolerances.METAVAR,
            help="Element rule |c-r| <= atol + rtol*|r|; repeatable.",
            callback=tolerances.checked,
            rich_help_panel=_VERDICT,
        ),
    ] = None
    rtol: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar=tolerances.METAVAR,
            help="See --atol.",
            callback=tolerances.checked,
            rich_help_panel=_VERDICT,
        ),
    ] = None
    rms: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar=tolerances.METAVAR,
            help="Relative RMS error ||c-r|| / ||r||; repeatable. Default: the precision's.",
            callback=tolerances.checked,
            rich_help_panel=_VERDICT,
        ),
    ] = None
    builds: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            help="Builds as you make them, to catch flaky ones. Default: 2; for bisect none.",
            min=1,
            show_default=False,
            rich_help_panel=_VERDICT,
        ),
    ] = None
    fix_builds: Annotated[
        int,
        typer.Option(help="Fresh builds in which a fix has to hold.", min=1, rich_help_panel=_VERDICT),
    ] = 2
    good_tactics: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            metavar="FILE",
            help="Tactics of a good build: polygraphy's --save-tactics, or a trial's tactics.json.",
            rich_help_panel=_CASE,
        ),
    ] = None
    localizer: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME",
            help="Search strategy of an extension. Default: leftmost, and bayesian where trials contradict.",
            rich_help_panel=_CASE,
        ),
    ] = None
    plugins: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(metavar="LIB", help="TensorRT plugin library; repeatable.", rich_help_panel=_BUILD),
    ] = None
    operators: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            metavar="FILE",
            help="Custom operators of the reference: .py, .onnx or a library for onnxruntime; repeatable.",
            rich_help_panel=_CASE,
        ),
    ] = None
    calibration_cache: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            metavar="FILE", help="INT8 scales for a model without Q/DQ nodes.", rich_help_panel=_BUILD
        ),
    ] = None
    opt_level: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Builder optimisation level.", min=0, max=5, rich_help_panel=_BUILD),
    ] = None
    tactic_sources: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAMES",
            help="-CUBLAS,-CUDNN drops these tactic sources; plain names are all there are.",
            rich_help_panel=_BUILD,
        ),
    ] = None
    mark: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="TENSOR", help="Tensor that you make an output, too; repeatable.", rich_help_panel=_BUILD
        ),
    ] = None
    mark_all: Annotated[
        bool,
        typer.Option(
            "--mark-all",
            help="Every tensor is made an output (--trt-outputs mark all).",
            rich_help_panel=_BUILD,
        ),
    ] = False
    session: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            metavar="DIR", help="Session folder. Default: .trtdebug/<id>.", rich_help_panel=_SESSION
        ),
    ] = None
    max_memory: MaxMemory = None

    def request(self) -> CaseRequest:
        """The request for preflight. Raises `UserError` for options that exclude each other."""
        from trtdebug.api.request import request_of

        given = {o.name: getattr(self, o.name) for o in fields(self) if getattr(self, o.name) != o.default}
        return request_of(self.model, given, before_command())


@functools.cache
def _parameters(kind: Any) -> tuple[inspect.Parameter, ...]:
    """A parameter a field of `RunningOptions` or a class below it; those that all have come last."""
    hints, shared = get_type_hints(kind, include_extras=True), fields(RunningOptions)
    own = [f for f in fields(kind) if f.name not in {s.name for s in shared}]
    return tuple(
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if f.default is MISSING else f.default,
            annotation=hints[f.name],
        )
        for f in (*own, *shared)
    )


def _annotated(hint: Any) -> Any:
    """The hint without the Optional that Python 3.10 puts around one whose parameter defaults to None."""
    first = next(iter(get_args(hint)), None)
    return first if get_origin(hint) is Union and get_origin(first) is Annotated else hint


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the parameters of the class of its `options` (see `RunningOptions`) in place of them."""
    hints = get_type_hints(command, include_extras=True)
    kind = hints["options"]
    parameters: list[inspect.Parameter] = []
    for own in inspect.signature(command).parameters.values():
        if own.name == "options":
            parameters += _parameters(kind)
        else:
            annotation = _annotated(hints[own.name])
            parameters.append(own.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=annotation))

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        options = kind(**{f.name: given.pop(f.name) for f in fields(kind)})
        command(options=options, **given)

    del wrapper.__wrapped__  # typer would look through it
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper
