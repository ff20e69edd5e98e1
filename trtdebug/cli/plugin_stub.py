"""`trtdebug plugin-stub`: begins a TensorRT plugin for a node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from trtdebug.cli.console import say
from trtdebug.cli.errors import user_errors


@user_errors
def plugin_stub(
    model: Annotated[Path, typer.Argument(help="ONNX model.", show_default=False)],
    node: Annotated[
        str, typer.Argument(help="Node of the top-level graph, by its name.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the project.", show_default=False)],
    operators: Annotated[
        Optional[list[Path]],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Option(
            metavar="FILE", help="Custom operators before the node: .py, .onnx or a library; repeatable."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the model's inputs.", min=0)] = 0,
) -> None:
    """Begins a TensorRT plugin for a node.

    For one that no other operators can stand for. A start, not a fix: a C++ project that compiles and does not compute
    yet, the node alone, what it reads, and a test.
    """
    from trtdebug.export.plugin_stub import write_stub
    from trtdebug.plugins.operators import operator_source

    sources = tuple(operator_source(path) for path in operators or ())
    stub = write_stub(model, node, out, sources, seed)
    say(f"wrote {stub.folder}: a start, not a fix. Its README.md says what to write.")
    if not stub.recorded:
        say(f"its inputs are random: the model does not run up to {node} ({stub.why_not})")
