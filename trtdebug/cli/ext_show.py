"""`trtdebug ext list`, `info` and `check`: what is installed, and what is wrong with it."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from trtdebug.cli.errors import user_errors
from trtdebug.cli.options import Json
from trtdebug.cli.plugins import load


@user_errors
def list_(as_json: Json = False) -> None:
    """Show plugins: name, version, hooks, state."""
    from trtdebug.cli.ext_rows import rows

    found = rows(load(required=False))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _table(found)
    for row in found:
        source = f"{row['distribution']} {row['version']}".strip()
        for problem in row["problems"]:
            typer.echo(f"warning: {row['name']} ({source}): {problem}", err=True)


@user_errors
def info(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Plugin or distribution, as `ext list` shows it.")
    ],
    as_json: Json = False,
) -> None:
    """Show an extension: where it is from, what it needs, what it adds, what is wrong with it."""
    from trtdebug.cli.ext_rows import rows
    from trtdebug.plugins.about import about, distribution_of

    manager = load(required=False)
    distribution = distribution_of(name)
    facts = about(distribution, manager)
    found = [r for r in rows(manager) if r["distribution"] == distribution]
    if as_json:
        typer.echo(json.dumps({**facts, "plugins": found}, indent=2))
        return
    for key in ("distribution", "version", "summary", "homepage", "folder", "api"):
        typer.echo(f"{key:12} {facts[key] or 'not stated'}")
    typer.echo(f"{'needs':12} {', '.join(facts['requires']) or 'nothing'}")
    for row in found:
        state = f"{row['state']}: {row['error']}" if row["error"] else row["state"]
        typer.echo(f"{'plugin':12} {row['name']} ({_hooks(row)}), {state}")
    for kind, name, summary in facts["adds"]:
        typer.echo(f"{kind:12} {name}: {summary}")
    for problem in dict.fromkeys(p for row in found for p in row["problems"]):
        typer.echo(f"{'problem':12} {problem}")


@user_errors
def check(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Plugin or distribution, as `ext list` shows it.")
    ],
    as_json: Json = False,
) -> None:
    """Check an extension: imports, hooks, API range, requirements, unique ids, documentation.

    Exit code 1 where something is wrong.
    """
    from trtdebug.cli.ext_rows import rows
    from trtdebug.plugins.about import about, distribution_of, faults

    manager = load(required=False)
    distribution = distribution_of(name)
    mine = [r for r in rows(manager) if r["distribution"] == distribution]
    results = faults(about(distribution, manager), mine)
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    else:
        for what, wrong in results.items():
            typer.echo(f"{'wrong' if wrong else 'ok':6} {what}")
            for line in wrong:
                typer.echo(f"       {line}")
    raise typer.Exit(1 if any(results.values()) else 0)


def _hooks(row: dict[str, Any]) -> str:
    return ", ".join(hook.removeprefix("trtdebug_") for hook in row["hooks"])


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("name", "distribution", "version", "hooks", "state"):
        table.add_column(title, overflow="fold")
    for row in rows:
        state = f"{row['state']}: {row['error']}" if row["error"] else row["state"]
        table.add_row(row["name"], row["distribution"], row["version"], _hooks(row), state)
    Console(file=sys.stdout, markup=False, highlight=False).print(table)
