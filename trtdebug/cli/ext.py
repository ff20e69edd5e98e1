"""`trtdebug ext`: install, uninstall, list and begin extensions."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtdebug.cli import ext_show, ext_switch
from trtdebug.cli.errors import user_errors
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.plugins.upgrading import Upgraded

app = typer.Typer(help="Install, list and begin extensions.", no_args_is_help=True)
app.command("list")(ext_show.list_)
app.command()(ext_show.info)
app.command()(ext_show.check)
app.command()(ext_switch.enable)
app.command()(ext_switch.disable)
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
@user_errors
def install(
    what: Annotated[str, typer.Argument(help="Requirement, wheel, folder or URL, as pip takes it.")],
    editable: Annotated[bool, typer.Option("--editable", "-e", help="Use the folder in place.")] = False,
    yes: Yes = False,
) -> None:
    """Install an extension into the running environment, with its pip."""
    from trtdebug.plugins import pip

    job = pip.install(what, editable)
    _confirm(job.command, yes)
    done = job.run()
    names = ", ".join(f"{name} {version}" for name, version in done.extensions)
    typer.echo(
        f"installed: {names}" if done.changed else f"{names or what} was installed already, nothing changed"
    )
    _warn_of(done.conflicts)


@app.command()
@user_errors
def uninstall(
    distribution: Annotated[
        str, typer.Argument(metavar="DIST", help="Distribution, as `ext list` shows it.")
    ],
    yes: Yes = False,
) -> None:
    """Remove an extension from the running environment."""
    from trtdebug.plugins import pip

    job = pip.uninstall(distribution)
    _confirm(job.command, yes)
    job.run()
    ext_switch.forget(job.distribution)
    typer.echo(f"uninstalled: {job.distribution}")


@app.command()
@user_errors
def upgrade(
    distributions: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer evaluates this on Python 3.10
        typer.Argument(
            metavar="[DIST]...", help="As `ext list` shows them. Default: all.", show_default=False
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Take the newest version of extensions, with the running environment's pip."""
    from trtdebug.plugins import pip

    job = pip.upgrade(tuple(distributions or ()))
    for name in job.editable:
        typer.echo(f"left as it is, since it is used in place: {name}")
    if not job.distributions:
        typer.echo("nothing to upgrade")
        return
    _confirm(job.command, yes)
    done, conflicts = job.run()
    worse = [each for each in done if each.refused and each.before != each.after]
    for each in done:
        if each not in worse:
            typer.echo(_told(each))
    _warn_of(conflicts)
    if worse:
        raise UserError(
            f"{'; '.join(map(_told, worse))}.",
            "Install another version: trtdebug ext install 'NAME==VERSION'.",
        )


@app.command()
@user_errors
def new(
    name: Annotated[str, typer.Argument(help="Its name: `my-check` makes trtdebug-my-check.")],
    folder: Annotated[Path, typer.Option("--dir", help="Where to put it.")] = Path(),
) -> None:
    """Write a new extension with a check, a fix and passing tests."""
    from trtdebug.plugins import scaffold

    made = scaffold.create(name, folder)
    typer.echo(f"wrote {made}")
    place = shlex.quote(str(made))
    typer.echo(f"next: trtdebug ext install -e {place} && python -m pytest {place}")


def _told(each: Upgraded) -> str:
    changed = each.before != each.after
    said = f"{each.name}: {each.before} to {each.after}" if changed else f"{each.name}: {each.before}"
    if each.refused:
        return f"{said}, refused: {each.remark}"
    if each.remark:
        return f"{said}; {each.remark}" if changed else f"{said} stays: {each.remark}"
    return said if changed else f"{said} is the newest"


def _warn_of(conflicts: tuple[str, ...]) -> None:
    for line in conflicts:
        typer.echo(f"warning: {line}", err=True)


def _confirm(command: tuple[str, ...], yes: bool) -> None:
    typer.echo(f"will run: {shlex.join(command)}")
    if yes:
        return
    if not _somebody_is_there():
        raise UserError("Nobody is there to confirm: stdin is no terminal.", "Give --yes.")
    if not typer.confirm("Go on?"):
        raise UserError("Nothing was done.")


def _somebody_is_there() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
