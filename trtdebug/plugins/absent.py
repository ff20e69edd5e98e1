"""Why something that an extension should add may not be there."""

from __future__ import annotations

from collections.abc import Iterator

from trtdebug.plugins.manager import PluginManager


def why_absent(plugins: PluginManager, kind: str, package: str = "") -> str:
    """What may be the reason, in sentences, each after a space; empty where nothing is known.

    Those extensions that failed at import, in `trtdebug_<kind>`, or in what it gave; and those that are disabled: what
    these have nobody knows without loading them.

    Args:
        package: the one that has it, where that is known.
    """
    return "".join((*_failed(plugins, kind), *_disabled(plugins, package)))


def _failed(plugins: PluginManager, kind: str) -> list[str]:
    told = {
        f" The extension {p.plugin} ({p.distribution} {p.version}) failed: {p.error.removesuffix('.')}."
        for p in plugins.problems
        if p.hook is None or p.hook.split()[0] == kind
    }
    return sorted(told)


def _disabled(plugins: PluginManager, package: str) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for plugin in plugins.disabled():
        if package in ("", plugin.distribution):
            names.setdefault(plugin.off, []).append(plugin.name)
    for remedy, found in names.items():
        one = len(found) == 1
        which = f"extension {found[0]} is" if one else f"extensions {', '.join(found)} are"
        yield f" The {which} disabled, and {'has' if package else 'may have'} it: {remedy}."
