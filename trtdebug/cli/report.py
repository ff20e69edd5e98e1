"""`trtdebug report`: a stored session's report in any installed format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtdebug.cli.console import say, say_report
from trtdebug.cli.errors import user_errors, writing
from trtdebug.cli.plugins import load
from trtdebug.cli.sessions import SessionFolder, chosen_session
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.plugins.manager import PluginManager, Provided

LIST = "list"


@user_errors
def report(
    folder: SessionFolder = None,
    format: Annotated[
        str, typer.Option(metavar="NAME", help="text, html, json, sarif, ...; `list` tells what there is.")
    ] = "text",
    out: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Option(metavar="FILE", help="Write it there. Default: print it."),
    ] = None,
) -> None:
    """The report of a session in any installed format.

    Nothing runs; formats of extensions are there, too.
    """
    from trtdebug.plugins.absent import why_absent
    from trtdebug.report.read import read_report

    plugins = load()
    formats = {found.value.name: found for found in plugins.collect("reports")}
    if format == LIST:
        width = max(map(len, formats))
        say("".join(_line(found, width) for found in formats.values()))
        return
    if format not in formats:
        absent = why_absent(plugins, "reports")
        raise UserError(f"there is no report format {format!r}.{absent}", f"There are: {', '.join(formats)}.")
    session = chosen_session(folder)
    text = _render(formats[format], read_report(session), session, plugins)
    if out is None:
        (say_report if format == "text" else say)(text)
    else:
        _write(out, text)
        say(f"written: {out}")


def _line(found: Provided[Any], width: int) -> str:
    provider = found.provider
    whose = "" if provider.builtin else f" (from {provider.distribution} {provider.version})"
    return f"{found.value.name:{width}}  {found.value.summary}{whose}\n"


def _render(found: Provided[Any], content: dict[str, Any], session: Path, plugins: PluginManager) -> str:
    """Raises `UserError` where the format fails."""
    from trtdebug.plugins import returned

    text = ""
    with plugins.guard(found.provider, f"report {found.value.name}", allow=(UserError,)):
        text = returned.text(found.value.name, found.value.text(content, session))
    why = plugins.failure(found.provider)
    if not why:
        return text
    raise UserError(
        f"the format {found.value.name!r} of {found.provider.distribution} {found.provider.version} failed: {why}.",
        "Choose another one; `--format list` tells what there is.",
    )


def _write(path: Path, text: str) -> None:
    from trtdebug.session.files import write_text

    if path.is_dir():
        raise UserError(f"{path} is a folder.", "Name a file with --out.")
    with writing(path, "--out"):
        write_text(path, text)
