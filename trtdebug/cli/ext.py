"""`trtdebug ext`: install, uninstall, list and begin extensions."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtdebug.cli.errors import user_errors
from trtdebug.cli.plugins import load
from trtdebug.core.errors import UserError

if TYPE_CHECKING:
    from trtdebug.plugins.manager import PluginManager

app = typer.Typer(help="Install, list and begin extensions.", no_args_is_help=True)
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
    names = job.run()
    typer.echo(
        f"installed: {', '.join(names)}" if names else f"{what} was installed already, nothing changed"
    )


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
    typer.echo(f"uninstalled: {job.distribution}")


@app.command("list")
@user_errors
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Show plugins: name, version, hooks, state."""
    manager = load()
    rows = _rows(manager)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _table(rows)
    for problem in manager.problems:
        where = f" in {problem.hook}" if problem.hook else ""
        source = f"{problem.distribution} {problem.version}".strip()
        typer.echo(f"warning: {problem.plugin} ({source}){where}: {problem.error}", err=True)


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
    typer.echo(f"next: trtdebug ext install -e {shlex.quote(str(made))} && pytest {shlex.quote(str(made))}")


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


def _rows(manager: PluginManager) -> list[dict[str, Any]]:
    """One row a plugin and one a command that an extension adds."""
    from trtdebug.plugins import rules

    # Hooks are called too, so that a plugin which only fails there is shown as failed.
    for kind in rules.KINDS:
        manager.collect(kind)
    rows = [asdict(plugin) for plugin in manager.plugins()]
    for point in manager.command_entry_points():
        row = {"name": point.name, "distribution": point.distribution, "version": point.version}
        rows.append({**row, "hooks": ("command",), "state": "active", "builtin": False, "error": ""})
    return rows


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("name", "distribution", "version", "hooks", "state"):
        table.add_column(title, overflow="fold")
    for row in rows:
        hooks = ", ".join(hook.removeprefix("trtdebug_") for hook in row["hooks"])
        state = f"{row['state']}: {row['error']}" if row["error"] else row["state"]
        table.add_row(row["name"], row["distribution"], row["version"], hooks, state)
    Console(file=sys.stdout, markup=False, highlight=False).print(table)
