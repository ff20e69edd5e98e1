"""`trtdebug run`: From a failing model to its cause, a verified fix and a repro."""

from __future__ import annotations

import typer

from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import user_errors
from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions, with_options


@user_errors
@with_options
def run(options: CaseOptions) -> None:
    """From a failing model to its cause, a fix and a repro."""
    with opened(options) as case:
        code = diagnose(case, "repro", options.json)
    raise typer.Exit(code)
