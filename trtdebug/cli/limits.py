"""The options for what a worker may hold."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from trtdebug.session.limits import MEMORY_VARIABLE, parse_size


def size_of(text: str) -> int:
    """Bytes of a size such as 512M."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None


WorkerMemory = Annotated[
    Optional[int],  # noqa: UP045 - typer evaluates this on Python 3.10
    typer.Option(
        parser=size_of,
        metavar="SIZE",
        envvar=MEMORY_VARIABLE,
        show_envvar=False,
        help="Host memory that a worker may hold, such as 8G. Default: 80% of the machine's.",
        rich_help_panel="Session and output",
    ),
]

MaxMemory = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        parser=size_of,
        metavar="SIZE",
        help="Tensors held at once where all are observed, such as 512M: less means more runs, and on TensorRT "
        "more builds. Default: 256M, on TensorRT no limit.",
        rich_help_panel="Session and output",
    ),
]
