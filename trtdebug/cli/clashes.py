"""Extensions' commands that cannot be called: their names are taken, or they need another API."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtdebug.plugins.manager import PluginManager

COMMAND = "command"


def report_clashes(manager: PluginManager) -> None:
    """Adds a problem for each such command; none is imported."""
    from trtdebug.plugins.discovery import as_plugin

    points = manager.command_entry_points()
    own = _own_commands() if points else frozenset()
    first: dict[str, str] = {}
    refused = {(p.plugin, p.distribution) for p in manager.problems}
    for point in points:
        plugin = as_plugin(point)
        taken = "trtdebug itself" if point.name in own else first.get(point.name)
        if point.misfit:
            if (point.name, point.distribution) not in refused:
                manager.refuse([plugin])
        elif taken:
            manager.report(
                plugin, COMMAND, f"the command {point.name!r} is that of {taken}; this one is left out"
            )
        else:
            first[point.name] = str(plugin)


@cache
def _own_commands() -> frozenset[str]:
    """Names as typer gives them. It would take 0.05 s to build the commands themselves."""
    from typer.main import get_command_name

    from trtdebug.cli.app import app

    commands = (
        c.name or get_command_name(getattr(c.callback, "__name__", "")) for c in app.registered_commands
    )
    return frozenset((*commands, *(str(group.name) for group in app.registered_groups)))
