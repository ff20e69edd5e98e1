"""`trtdebug repro check`: does a repro folder still show what it was written for?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trtdebug.cli.console import say, say_json
from trtdebug.cli.errors import UNTESTABLE, user_errors
from trtdebug.cli.options import Json

CHECK = "check"


@user_errors
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Repro folder.", show_default=False)],
    timeout: Annotated[float, typer.Option(help="Seconds that it may take.", min=1, max=1e7)] = 1800.0,
    json: Json = False,
) -> None:
    """Runs a repro again in a fresh process, and tells whether it does what it was written for.

    Exit code 1: it fails as recorded; 0: it does not, or it is a unit test and passes; 4: it can't be tested here.
    """
    from trtdebug.core.jsonable import to_data
    from trtdebug.repro.manifest import read_manifest
    from trtdebug.repro.verify import verify
    from trtdebug.scripts.words import printable

    manifest = read_manifest(folder)
    found = verify(folder, timeout)
    if json:
        say_json({"repro": str(folder), "nodes": len(manifest.nodes)} | to_data(found))
    else:
        say(printable(f"{folder}: {len(manifest.nodes)} node(s), {found.output}"))
    if found.reproduced is None:
        raise typer.Exit(UNTESTABLE)
    raise typer.Exit(1 if found.signature is not None else 0)
