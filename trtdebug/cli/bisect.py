"""`trtdebug bisect`: Only the cause: the smallest set of nodes that fails."""

from __future__ import annotations

import typer

from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import user_errors
from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions, with_case_options


@user_errors
@with_case_options
def bisect(options: CaseOptions) -> None:
    """Only the cause: the smallest set of nodes that fails."""
    with opened(options) as case:
        code = diagnose(case, "localise", options.json)
    raise typer.Exit(code)
