"""`trtdebug fix`: The cause and a verified fix, without a repro."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from trtdebug.api.refusals import refuse_taken, refuse_unwritable
from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import user_errors
from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions, with_options


@user_errors
@with_options
def fix(
    options: CaseOptions,
    output: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Option(metavar="DIR", help="Folder for the verified fix. Default: fix/ in the session."),
    ] = None,
) -> None:
    """The cause and a verified fix, without a repro."""
    if output is not None:
        from trtdebug.export.manifest import MANIFEST

        refuse_unwritable(output, "fix", "--output")
        refuse_taken(output, MANIFEST, "fix folder")
    with opened(options) as case:
        code = diagnose(case, "fix", options.json, output)
    raise typer.Exit(code)
