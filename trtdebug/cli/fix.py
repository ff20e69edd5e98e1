"""`trtdebug fix`: The cause and a verified fix, without a repro."""

from __future__ import annotations

import typer

from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import user_errors
from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions, with_case_options


@user_errors
@with_case_options
def fix(options: CaseOptions) -> None:
    """The cause and a verified fix, without a repro."""
    with opened(options) as case:
        code = diagnose(case, "fix", options.json)
    raise typer.Exit(code)
