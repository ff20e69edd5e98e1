"""`trtdebug ext enable` and `disable`: for this user or this project, in their config files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from trtdebug.cli.config import (
    DISABLED,
    FILE,
    PYPROJECT,
    VARIABLE,
    config_files,
    project_file,
    read_table,
    user_file,
)
from trtdebug.cli.errors import user_errors
from trtdebug.core.errors import UserError
from trtdebug.plugins.selection import normalise

Name = Annotated[str, typer.Argument(metavar="NAME", help="Plugin or distribution, as `ext list` shows it.")]
Project = Annotated[bool, typer.Option("--project", help="For this project, instead of for this user.")]


@user_errors
def disable(name: Name, project: Project = False) -> None:
    """Load an extension no more, for this user or project."""
    from trtdebug.plugins.discovery import installed_extensions, refuse_unknown

    refuse_unknown([name], (), installed_extensions())
    path = _file(project)
    if _names_it(path, name):
        typer.echo(f"{name} is disabled in {path} already")
        return
    _store(path, [*_disabled(path), name])
    typer.echo(f"disabled {name} in {path}")


@user_errors
def enable(name: Name, project: Project = False) -> None:
    """Load an extension again."""
    path = _file(project)
    dropped = _drop(path, name)
    others = [p for p in config_files() if _names_it(p, name)]
    if not dropped:
        hint = f"It is disabled in {others[0]}." if others else "`trtdebug ext list` shows what is disabled."
        raise UserError(f"{name} is not disabled in {path}.", hint)
    typer.echo(f"enabled {name} in {path}")
    for other in others:
        typer.echo(f"warning: it is still disabled in {other}.", err=True)


def forget(name: str) -> None:
    """What is uninstalled leaves nothing in the user's own file."""
    _drop(user_file(), name)


def _file(project: bool) -> Path:
    """The file to write. Raises `UserError` where it would not be read."""
    if VARIABLE in os.environ:
        raise UserError(
            f"{VARIABLE} is set: the files of this user and of projects are not read.",
            "Unset it, or leave extensions out for one command: -p no:NAME.",
        )
    return (project_file() or Path.cwd() / FILE) if project else user_file()


def _disabled(path: Path) -> list[str]:
    return list(read_table(path).get(DISABLED, ())) if path.is_file() else []


def _names_it(path: Path, name: str) -> bool:
    return normalise(name) in map(normalise, _disabled(path))


def _drop(path: Path, name: str) -> bool:
    """Takes a name out of the file's list; whether it was there."""
    there = _names_it(path, name)
    if there:
        _store(path, [n for n in _disabled(path) if normalise(n) != normalise(name)])
    return there


def _store(path: Path, names: list[str]) -> None:
    """Writes the list; all else in the file stays as it is, comments too. Raises `UserError` where it cannot."""
    import tomlkit

    document: Any = tomlkit.parse(path.read_text(encoding="utf-8")) if path.is_file() else tomlkit.document()
    table = document["tool"]["trtdebug"] if path.name == PYPROJECT else document
    if names:
        table[DISABLED] = names
    else:
        table.pop(DISABLED, None)
    text = tomlkit.dumps(document)
    try:
        if text.strip():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.", "Check its permissions.") from None
