"""Extensions' commands that cannot be called: their names are taken, or they need another API."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtdebug.plugins.manager import PluginManager

COMMAND = "command"


def report_clashes(manager: PluginManager) -> None:
    """Adds a problem for each such command; none is imported."""
    from trtdebug.plugins.discovery import as_plugin

    own = _own_commands()
    first: dict[str, str] = {}
    refused = {(p.plugin, p.distribution) for p in manager.problems}
    for point in manager.command_entry_points():
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


def _own_commands() -> frozenset[str]:
    import typer

    from trtdebug.cli.app import app

    return frozenset(typer.main.get_group(app).commands)
