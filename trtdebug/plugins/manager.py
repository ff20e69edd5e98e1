"""Finds plugins, calls each by itself, and keeps a record of those that fail. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pluggy

from trtdebug.plugins import discovery, rules, spec
from trtdebug.plugins.discovery import Extension, Plugin
from trtdebug.plugins.lent_backend import lent_backend
from trtdebug.plugins.record import PluginInfo, Provided, Record
from trtdebug.plugins.selection import Selection

if TYPE_CHECKING:
    import typer

    from trtdebug.backends.base import Backend
    from trtdebug.plugins import types as t

__all__ = ["PluginManager", "Provided"]


class PluginManager(Record):
    """Made by `load`. Imports a plugin when a hook is first needed; drops one that raises."""

    def __init__(self, found: Sequence[Plugin], selection: Selection, there: Sequence[Extension]) -> None:
        super().__init__()
        self._found, self._selection, self._there = found, selection, there
        self._pluggy = pluggy.PluginManager("trtdebug")
        self._pluggy.add_hookspecs(spec)
        self._loaded: dict[str, Plugin] = {}
        self._collected: dict[str, tuple[Provided[Any], ...]] = {}

    @classmethod
    def load(
        cls,
        *,
        builtins: Sequence[object | str] = (),
        disabled: Iterable[str] = (),
        third_party: bool = True,
        unwanted: Iterable[str] = (),
    ) -> PluginManager:
        """Finds built-ins (modules or dotted names) and third parties; imports none.

        Args:
            unwanted: disabled, too, where they are there.

        Raises:
            UserError: `disabled` names what is not there.
        """
        disabled = tuple(disabled)
        selection = Selection.of((*disabled, *unwanted), third_party)
        there = discovery.installed_extensions()
        found = discovery.find_plugins(builtins, selection, there)
        discovery.refuse_unknown(disabled, found, there)
        manager = cls(found, selection, there)
        manager.report_missing(discovery.missing(selection, there))
        manager.refuse(p for p in found if p.misfit and not p.off)
        return manager

    def to_env(self) -> dict[str, str]:
        """Environment in which `load` selects the same plugins."""
        return self._selection.to_env()

    def disabled(self) -> tuple[Plugin, ...]:
        """Found, not to be loaded."""
        return tuple(plugin for plugin in self._found if plugin.off)

    def plugins(self) -> tuple[PluginInfo, ...]:
        """All that were found; imports them."""
        self._import()
        return tuple(self.info(plugin, self._hooks(plugin)) for plugin in self._found)

    def collect(self, kind: str) -> tuple[Provided[Any], ...]:
        """What the hook `trtdebug_<kind>` gives, built-ins first. Of two of one name the first stays."""
        if kind not in self._collected:
            kept: dict[str, Provided[Any]] = {}
            for plugin, values in self._call(kind):
                for value in values:
                    first = kept.setdefault(value.name, Provided(value, plugin))
                    if first.value is not value:
                        taken = f"{value.name!r} is taken by {first.provider}; {plugin}'s is left out"
                        self.report(plugin, kind, taken)
            self._collected[kind] = tuple(kept.values())
        return self._collected[kind]

    def emit(self, event: str, data: t.TrialEvent | t.SessionEvent) -> None:
        """Tells `trtdebug_<event>`."""
        self._call(event, event=data)

    def add_commands(self, app: typer.Typer, third_party: bool = False) -> None:
        """Built-ins' commands; `third_party` imports extensions, too: only for an unknown command."""
        self._call("commands", third_party=third_party, app=app)

    def command_entry_points(self) -> tuple[Extension, ...]:
        """Third parties' commands by entry point; imports none."""
        return discovery.commands(self._selection, self._there)

    def backends(self) -> dict[str, Backend]:
        return dict(self._backends)

    def checks(self) -> dict[str, t.Check]:
        return self._named("checks")

    def fixes(self) -> dict[str, t.FixProposer]:
        return self._named("fixes")

    def metrics(self) -> dict[str, t.Metric]:
        return self._named("metrics")

    def inputs(self) -> dict[str, t.InputSource]:
        return self._named("inputs")

    @cached_property
    def _backends(self) -> dict[str, Backend]:
        return {found.value.name: lent_backend(found, self) for found in self.collect("backends")}

    def _named(self, kind: str) -> dict[str, Any]:
        return {found.value.name: found.value for found in self.collect(kind)}

    def _import(self, third_party: bool = True) -> None:
        for plugin in self._found:
            wanted = not (plugin.off or plugin.misfit) and (plugin.builtin or third_party)
            if wanted and plugin.key not in self._loaded:
                self._loaded[plugin.key] = plugin
                with self.guard(plugin, None):
                    module = plugin.load()
                    rules.refuse_wrong_arguments(module)
                    self._pluggy.register(module, plugin.key)
                    for hook, reason in rules.wrong_names(module, self._hooks(plugin)):
                        self.report(plugin, hook, reason)

    def _call(self, hook: str, third_party: bool = True, **data: Any) -> list[tuple[Plugin, list[Any]]]:
        # pluggy's own call ends at the first implementation that raises: so one by one, in the order of `_found`
        self._import(third_party)
        results = []
        implementations = getattr(self._pluggy.hook, f"trtdebug_{hook}").get_hookimpls()
        by_plugin = {implementation.plugin_name: implementation for implementation in implementations}
        for key, plugin in self._loaded.items():
            if key in by_plugin and not self.failure(plugin) and (plugin.builtin or third_party):
                with self.guard(plugin, hook):
                    results.append((plugin, rules.result_of(hook, by_plugin[key], data)))
        return results

    def _hooks(self, plugin: Plugin) -> list[str]:
        callers = self._pluggy.get_hookcallers(self._pluggy.get_plugin(plugin.key))
        return sorted(caller.name for caller in callers or ())
