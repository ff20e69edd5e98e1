"""The typer app: one file a command. Importing it loads neither numpy, onnx, onnxruntime nor tensorrt."""

from __future__ import annotations

import signal
from typing import Annotated, Optional

import typer

from trtdebug import __version__
from trtdebug.cli import config, ext, plugins
from trtdebug.cli.bisect import bisect
from trtdebug.cli.capability import capability
from trtdebug.cli.check import check
from trtdebug.cli.commands import NO_COLOR, Command, Root
from trtdebug.cli.compare import compare
from trtdebug.cli.demo import demo
from trtdebug.cli.doctor import doctor
from trtdebug.cli.errors import user_errors
from trtdebug.cli.fix import fix
from trtdebug.cli.inspect import inspect
from trtdebug.cli.plugin_stub import plugin_stub
from trtdebug.cli.report import report
from trtdebug.cli.repro import ReproCommand, repro
from trtdebug.cli.reverdict import reverdict
from trtdebug.cli.run import run
from trtdebug.cli.session_files import export, gc, import_
from trtdebug.cli.session_replay import replay, skip
from trtdebug.cli.session_show import diff, list_, show
from trtdebug.cli.sessions import log, resume, status
from trtdebug.cli.streams import prepare_streams
from trtdebug.cli.terminal import want_colours
from trtdebug.cli.verify import verify
from trtdebug.cli.view import view

app = typer.Typer(
    name="trtdebug",
    cls=Root,
    help="From an ONNX model that goes wrong in TensorRT to its smallest cause, a verified fix and a repro.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    run,
    check,
    capability,
    compare,
    bisect,
    fix,
    repro,
    verify,
    inspect,
    resume,
    reverdict,
    report,
    log,
    status,
    show,
    replay,
    skip,
    diff,
    gc,
    export,
    view,
    doctor,
    demo,
    plugin_stub,
):
    app.command(cls=ReproCommand if command is repro else Command)(command)
for name, command in (("list", list_), ("import", import_)):
    app.command(name, cls=Command)(command)
app.add_typer(ext.app, name="ext")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trtdebug {__version__}")
        raise typer.Exit


def _ignore_config(wanted: bool) -> None:
    config.ignore(wanted)


@app.callback()
@user_errors
def _root(
    no_plugins: Annotated[bool, typer.Option("--no-plugins", help="Load no third-party extension.")] = False,
    plugin: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("-p", metavar="no:NAME", help="Leave this extension out; repeatable."),
    ] = None,
    no_config: Annotated[
        bool,
        typer.Option(
            "--no-config",
            is_eager=True,
            callback=_ignore_config,
            help="Read no trtdebug.toml or pyproject.toml.",
        ),
    ] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help=NO_COLOR)] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    want_colours(not no_color)
    plugins.choose(plugin or [], not no_plugins)


def main() -> None:
    """The console script. SIGTERM ends it as Ctrl-C does: resumable, with exit code 130."""
    prepare_streams()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()
