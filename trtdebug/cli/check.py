"""`trtdebug check`: all checks on a model, without a candidate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtdebug.cli.console import say, say_json, say_table
from trtdebug.cli.errors import user_errors
from trtdebug.cli.options import Json
from trtdebug.cli.plugins import load

if TYPE_CHECKING:
    from trtdebug.core.finding import Finding


@user_errors
def check(
    model: Annotated[Path, typer.Argument(help="ONNX model.", show_default=False)],
    fp16: Annotated[bool, typer.Option("--fp16", help="Check for a build in FP16.")] = False,
    bf16: Annotated[bool, typer.Option("--bf16", help="Check for a build in BF16.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Check for a build in INT8.")] = False,
    inputs: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(metavar="FILE|DIR", help="Real inputs; repeatable."),
    ] = None,
    input_shapes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="NAME:SHAPE", help="x:[1,3,8,8] or x:1x3x8x8; repeatable."),
    ] = None,
    val_range: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="[NAME:][LOW,HIGH]", help="Range of random inputs; repeatable."),
    ] = None,
    plugins: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(metavar="LIB", help="TensorRT plugin library that you build with; repeatable."),
    ] = None,
    operators: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            metavar="FILE", help="Custom operators of the reference: .py, .onnx or .so; repeatable."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of random inputs.", min=0)] = 0,
    json: Json = False,
) -> None:
    """All checks on a model, without a candidate.

    Exit code 1 when a finding is an error.
    """
    from trtdebug.api.request import precision_of
    from trtdebug.core.case import BuildOptions
    from trtdebug.core.jsonable import to_data
    from trtdebug.stages.opening.check import check_model
    from trtdebug.stages.opening.preflight import CaseRequest

    request = CaseRequest(
        model=model,
        options=BuildOptions(
            precision=precision_of(fp16=fp16, bf16=bf16, int8=int8),
            plugins=tuple(str(path) for path in plugins or ()),
        ),
        operators=operators or (),
        inputs=inputs,
        input_shapes=input_shapes or (),
        ranges=val_range or (),
        seed=seed,
    )
    extensions = load()
    findings = check_model(request, extensions)
    if json:
        say_json([to_data(f) for f in findings])
    else:
        if findings:
            say_table(("", "check", "node", "what, and what to do"), _rows(findings), _lines(findings))
        say(f"{len(findings)} finding(s) by {len(extensions.checks())} checks")
    raise typer.Exit(1 if any(f.severity == "error" for f in findings) else 0)


def _rows(findings: Sequence[Finding]) -> list[tuple[str, str, str, str]]:
    from trtdebug.report.few import few_of_each

    rows: list[tuple[str, str, str, str]] = []
    for rule, few, left in few_of_each(findings, lambda finding: finding.id):
        rows += [(f.severity, f.id, f.node or "", f"{f.message} {f.mitigation}".rstrip()) for f in few]
        rows += [("", rule, "", _more(left))] if left else []
    return rows


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    from trtdebug.report.few import few_of_each

    for rule, few, left in few_of_each(findings, lambda finding: finding.id):
        for finding in few:
            where = f" [{finding.node}]" if finding.node else ""
            yield f"{finding.severity:7} {finding.id}{where}: {finding.message}"
            if finding.mitigation:
                yield f"        {finding.mitigation}"
        if left:
            yield f"        {rule}: {_more(left)}"


def _more(left: int) -> str:
    return f"... and {left} more, see --json"
