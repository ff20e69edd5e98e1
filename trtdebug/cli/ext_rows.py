"""What `trtdebug ext list`, `info` and `check` say of extensions: one row a plugin, and one a command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trtdebug.cli.clashes import COMMAND

if TYPE_CHECKING:
    from trtdebug.plugins.manager import PluginManager


def rows(manager: PluginManager) -> list[dict[str, Any]]:
    """All rows. Hooks are called and commands imported, so that what only fails there is shown as failed.

    `problems` are lines: what goes wrong now, and what went wrong in the newest session here.
    """
    from trtdebug.plugins import rules

    for kind in rules.KINDS:
        manager.collect(kind)
    found = [asdict(plugin) for plugin in manager.plugins()] + list(_commands(manager))
    found += _absent(manager, found)
    earlier = _of_newest_session()
    for row in found:
        key, is_command = (row["name"], row["distribution"]), row["hooks"] == (COMMAND,)
        now = [
            f"{p.hook or 'import'}: {p.error}"
            for p in manager.problems
            if (p.plugin, p.distribution) == key and (p.hook == COMMAND) == is_command
        ]
        before = [] if is_command else [line for line in earlier.get(key, ()) if line not in now]
        row["problems"] = [*now, *(f"{line} (in the newest session)" for line in before)]
    return found


def _commands(manager: PluginManager) -> Iterator[dict[str, Any]]:
    from trtdebug.cli.commands import command_of
    from trtdebug.plugins.discovery import as_plugin

    clashes = {(p.plugin, p.distribution): p.error for p in manager.problems if p.hook == COMMAND}
    for point in manager.command_entry_points():
        plugin = as_plugin(point)
        error = point.misfit or clashes.get((point.name, point.distribution), "")
        if not error:
            with manager.guard(plugin, COMMAND):
                command_of(point.name, point.point.load())
            error = manager.failure(plugin)
        state = "refused" if point.misfit else "failed" if error else "active"
        row = {"name": point.name, "distribution": point.distribution, "version": point.version}
        yield {**row, "hooks": (COMMAND,), "state": state, "builtin": False, "error": error}


def _absent(manager: PluginManager, found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was asked for, and is not there at all."""
    there = {(row["name"], row["distribution"]) for row in found}
    return [
        {
            "name": p.plugin,
            "distribution": p.distribution,
            "version": p.version,
            "hooks": (),
            "state": "failed",
            "builtin": False,
            "error": p.error,
        }
        for p in manager.problems
        if (p.plugin, p.distribution) not in there
    ]


def _of_newest_session() -> dict[tuple[str, str], list[str]]:
    from trtdebug.session.session import Session, list_sessions

    found: dict[tuple[str, str], list[str]] = {}
    for folder in list_sessions()[:1]:
        for event in Session(folder).journal.read():
            if event.get("event") == "plugin_problem":
                lines = found.setdefault((event["plugin"], event["distribution"]), [])
                line = f"{event['where']}: {event['error']}"
                lines += [line] if line not in lines else []
    return found
