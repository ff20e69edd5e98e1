"""`trtdebug bisect`: Only the cause: the smallest set of nodes that fails."""

from __future__ import annotations

from dataclasses import replace

import typer

from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import user_errors
from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions, with_options


@user_errors
@with_options
def bisect(options: CaseOptions) -> None:
    """Only the cause: the smallest set of nodes that fails.

    It is taken for granted that the model does fail; --builds N makes sure first. With --mark or --mark-all it is
    built once: marks that cannot be built are the cause, then.
    """
    if options.builds is None:
        options = replace(options, builds=1 if options.mark or options.mark_all else 0)
    with opened(options) as case:
        code = diagnose(case, "localise", options.json)
    raise typer.Exit(code)
