"""`trtdebug repro`: a piece of a model as a folder that fails by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from trtdebug.cli.console import say, say_json
from trtdebug.cli.diagnose import diagnose
from trtdebug.cli.errors import user_errors
from trtdebug.cli.opening import opened
from trtdebug.cli.options import CaseOptions, with_case_options


@user_errors
@with_case_options
def repro(
    options: CaseOptions,
    nodes: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="A,B,...", help="These nodes. Default: what the search finds."),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Folder to write. Default: repro/ in the session."),
    ] = None,
) -> None:
    """Exports a minimal repro and re-verifies it in a fresh process; exit code 1 when it fails as it should."""
    with opened(options) as case:
        if nodes is None:
            raise typer.Exit(diagnose(case, "repro", options.json))
        from trtdebug import __version__
        from trtdebug.core.jsonable import to_data
        from trtdebug.debugger import command_line
        from trtdebug.repro.of_case import export_nodes

        ctx = case.ctx
        names = [ctx.index.node(n.strip()).name for n in nodes.split(",")]
        ctx.record()
        result = export_nodes(
            ctx, names, output or case.folder / "repro", command_line(ctx), {"trtdebug": __version__}
        )
    if options.json:
        say_json(to_data(result))
    else:
        state = "fails in a fresh process" if result.verified else "does not fail"
        say(f"{result.path}: {result.nodes} node(s), {state}")
        if result.note:
            say(result.note)
    raise typer.Exit(1 if result.verified else 0)
