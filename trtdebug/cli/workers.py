"""The options for where trials run, and how many at once."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from trtdebug.session.limits import GPUS_VARIABLE, WORKERS_VARIABLE

_PANEL = "Session and output"

Gpus = Annotated[
    Optional[str],  # noqa: UP045 - typer evaluates this on Python 3.10
    typer.Option(
        metavar="LIST",
        envvar=GPUS_VARIABLE,
        show_envvar=False,
        help="GPUs to use, 0,1,3 or all: a worker on each, and so many trials at once. Default: the first.",
        rich_help_panel=_PANEL,
    ),
]

Workers = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        min=1,
        envvar=WORKERS_VARIABLE,
        show_envvar=False,
        help="Trials at once, for candidates that need no GPU (the emulator). Default: 1.",
        rich_help_panel=_PANEL,
    ),
]

ExecutorName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        envvar="TRTDEBUG_EXECUTOR",
        show_envvar=False,
        help="Where trials run: worker (this machine), or what an extension brings, such as dask.",
        rich_help_panel=_PANEL,
    ),
]
