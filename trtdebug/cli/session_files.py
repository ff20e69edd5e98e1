"""`trtdebug gc`, `export` and `import`: what sessions take on the disk, and how they travel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from trtdebug.cli.console import say, say_json
from trtdebug.cli.errors import USAGE, show, user_errors
from trtdebug.cli.options import Json
from trtdebug.cli.sessions import SessionFolder, chosen_session, sessions_in

_Path = Optional[Path]  # noqa: UP045 - typer evaluates this on Python 3.10


@user_errors
def gc(
    root: Annotated[
        _Path,
        typer.Argument(metavar="[DIR]", help="Folder of sessions. Default: .trtdebug.", show_default=False),
    ] = None,
    keep: Annotated[int, typer.Option(help="So many of the newest are left as they are.", min=0)] = 1,
    older_than: Annotated[
        float, typer.Option(metavar="DAYS", help="Only of sessions that are older.", min=0)
    ] = 0.0,
    sessions: Annotated[
        bool, typer.Option("--sessions", help="The finished sessions as a whole, not only their tensors.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it. Without this it is only told.")] = False,
    json: Json = False,
) -> None:
    """Frees disk space that sessions take.

    Tensors that trials kept and scratch files go, or whole sessions. Reports, journals and trials stay, unless
    --sessions is given. Exit code 1 where a session that is in use was left, 2 where it cannot be told whether one
    is finished; the others are freed.
    """
    from trtdebug.report.session_text import size_text
    from trtdebug.session.garbage import drop, garbage

    found, damaged = garbage(sessions_in(root), keep, older_than, sessions)
    gone, left = drop(found) if yes else ((), ())
    if json:
        told = [
            {"session": str(g.session), "bytes": g.bytes, "paths": list(map(str, g.paths))} for g in found
        ]
        kept = [*left, *(error.message for error in damaged)]
        say_json({"found": told, "freed": sum(g.bytes for g in gone), "left": kept})
    else:
        for item in gone if yes else found:
            what = "the session" if item.whole else ", ".join(sorted({p.name[:16] for p in item.paths})[:6])
            say(f"{item.session}: {size_text(item.bytes)} ({what})")
        total = size_text(sum(g.bytes for g in (gone if yes else found)))
        say(f"{total} freed" if yes else f"{total} would be freed; --yes frees it")
        for why in left:
            say(f"left: {why}")
    for error in damaged:
        show(error)
    raise typer.Exit(USAGE if damaged else 1 if left else 0)


@user_errors
def export(
    folder: SessionFolder = None,
    out: Annotated[
        _Path, typer.Option(metavar="FILE", help="Default: <session>.zip, here.", show_default=False)
    ] = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Without the model and other files of the case.")
    ] = False,
    no_tensors: Annotated[
        bool, typer.Option("--no-tensors", help="Without what trials kept; inputs stay.")
    ] = False,
) -> None:
    """Packs a session into a .zip file to send.

    It holds no path of this machine. `trtdebug import` opens it elsewhere.
    """
    from trtdebug.report.session_text import size_text
    from trtdebug.session.archive import export_session

    chosen = chosen_session(folder)
    target = out or Path(f"{chosen.resolve().name}.zip")
    export_session(chosen, target, model=not no_model, tensors=not no_tensors)
    say(f"written: {target} ({size_text(target.stat().st_size)})")


@user_errors
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What export wrote.", show_default=False)],
    session: Annotated[
        _Path, typer.Option(metavar="DIR", help="Folder to make. Default: .trtdebug/<its name>.")
    ] = None,
) -> None:
    """Opens a session that was exported."""
    from trtdebug.session.archive import import_session
    from trtdebug.session.session import DEFAULT_ROOT

    folder = import_session(file, session, DEFAULT_ROOT)
    say(f"session {folder}")
