"""`trtdebug capability`: which parts of a model a parser takes, which not, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from trtdebug.cli.console import say, say_json
from trtdebug.cli.errors import UNTESTABLE, user_errors
from trtdebug.cli.limits import WorkerMemory
from trtdebug.cli.options import Json
from trtdebug.cli.plugins import load

_EXIT = {"supported": 0, "unsupported": 1, "unknown": UNTESTABLE}


@user_errors
def capability(
    model: Annotated[Path, typer.Argument(help="ONNX model.", show_default=False)],
    candidate: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Backend whose parser is asked: auto, tensorrt, tensorrt-rtx (no GPU), ..."
        ),
    ] = "auto",
    plugins: Annotated[
        Optional[list[Path]],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Option(metavar="LIB", help="TensorRT plugin library; repeatable."),
    ] = None,
    operators: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(metavar="FILE", help="Custom operators for onnxruntime: .py, .onnx or .so; repeatable."),
    ] = None,
    input_shapes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="NAME:SHAPE", help="Of inputs, and of tensors whose shape is not known; repeatable."
        ),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Folder for the parts and plans. Default: MODEL_capability."),
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Run the plans on onnxruntime: are the outputs the whole model's?")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the inputs for --run.", min=0)] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds for each question to the parser.", min=0.1)] = 300.0,
    worker_memory: WorkerMemory = None,
    json: Json = False,
) -> None:
    """Which parts of a model TensorRT's parser takes.

    Of the others, why not. Saves each part as a model, the largest one that is taken, and plans to run them.

    Exit code 0: the whole model is taken; 1: it is not; 2: bad input, or no parser works here; 4: it gave no answer.
    """
    from trtdebug.core.jsonable import dumps
    from trtdebug.report.capability_text import capability_data, render_capability
    from trtdebug.session.files import write_text
    from trtdebug.session.limits import WorkerLimits, default_memory
    from trtdebug.stages.capability.case import CapabilityRequest, examine
    from trtdebug.stages.capability.files import RESULT

    request = CapabilityRequest(
        model=model,
        candidate=candidate,
        plugins=tuple(str(path) for path in plugins or ()),
        shapes=tuple(input_shapes or ()),
        out=out,
        run=run,
        seed=seed,
        operators=tuple(operators or ()),
    )
    examined = examine(request, load(), WorkerLimits(timeout, worker_memory or default_memory()))
    text, data = render_capability(examined), capability_data(examined)
    if examined.saved is not None:
        write_text(examined.saved.folder / "results.txt", text)
        write_text(examined.saved.folder / RESULT, dumps(data, indent=2))
    if json:
        say_json(data)
    else:
        say(text)
    wrong = any(ran.same is False for ran in examined.runs.values())
    raise typer.Exit(1 if wrong else _EXIT[examined.found.verdict])
