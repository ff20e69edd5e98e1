"""`trtdebug repro check`: does a repro folder still show what it was written for?"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtdebug.api.place import Place, start_executor
from trtdebug.cli.console import say, say_json
from trtdebug.cli.errors import UNTESTABLE, user_errors
from trtdebug.cli.options import Json
from trtdebug.cli.plugins import load

if TYPE_CHECKING:
    from trtdebug.plugins.manager import PluginManager
    from trtdebug.repro.manifest import Manifest
    from trtdebug.repro.spec import Verification

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
    from trtdebug.repro.by_backend import is_standalone
    from trtdebug.repro.manifest import read_manifest
    from trtdebug.repro.verify import verify
    from trtdebug.scripts.words import printable

    manifest = read_manifest(folder)
    alone = is_standalone(manifest.candidate, bool(manifest.build_errors))
    found = verify(folder, timeout) if alone else _by_extension(folder, manifest, timeout)
    if json:
        say_json({"repro": str(folder), "nodes": len(manifest.nodes)} | to_data(found))
    else:
        say(printable(f"{folder}: {len(manifest.nodes)} node(s), {found.output}"))
    if found.reproduced is None:
        raise typer.Exit(UNTESTABLE)
    raise typer.Exit(1 if found.signature is not None else 0)


def _by_extension(folder: Path, manifest: Manifest, timeout: float) -> Verification:
    """By a worker of trtdebug's, as the backend is that of an extension."""
    from trtdebug.repro.by_backend import verify_in
    from trtdebug.repro.spec import Verification
    from trtdebug.session.session import Session

    extensions = load()
    why = _not_usable(manifest.candidate, extensions)
    if why:
        return Verification(None, None, f"could not be tested: {why}")
    with tempfile.TemporaryDirectory(prefix="trtdebug-repro-") as place:
        session = Session(Path(place) / "session")
        start_executor(session, extensions, Place(session.folder, timeout))
        with closing(session):
            return verify_in(session, folder, manifest)


def _not_usable(name: str, extensions: PluginManager) -> str:
    """Why a backend cannot be used here; empty where it can."""
    from trtdebug.plugins.absent import why_absent

    backend = extensions.backends().get(name)
    if backend is None:
        absent = why_absent(extensions, "backends")
        return (
            f"the backend {name!r} is not there; install or enable the extension that has it.{absent}".rstrip(
                "."
            )
        )
    available = backend.probe()
    return "" if available.ok else f"{name} does not work here: {available.reason}"
