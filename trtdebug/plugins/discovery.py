"""What is installed, and what of it may load. Imports no plugin."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from trtdebug import __version__
from trtdebug.core.errors import UserError
from trtdebug.core.words import did_you_mean
from trtdebug.plugins import api
from trtdebug.plugins.selection import Selection, normalise

GROUP = "trtdebug"
COMMANDS = "trtdebug.commands"
API_RANGE = "trtdebug.api"
"""Groups of entry points. In the last one the name is the range of API versions that a package needs."""


@dataclass(frozen=True, eq=False)
class Plugin:
    """One plugin that was found, by default not imported yet.

    Attributes:
        name: entry-point name, or the last part of a built-in's module; what `-p no:NAME` names.
        load: imports it; may raise anything.
        off: what to do so that it is loaded; empty where it is to be.
        misfit: why it cannot be loaded: it needs another version of the API.
    """

    name: str
    distribution: str
    version: str
    builtin: bool
    load: Callable[[], object]
    off: str
    misfit: str = ""

    @property
    def key(self) -> str:
        """Unique in this process; two plugins may have the same name."""
        return f"{self} at {id(self):x}"

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})"


@dataclass(frozen=True)
class Extension:
    """An entry point of `group` ("trtdebug" or "trtdebug.commands").

    Attributes:
        misfit: as in `Plugin`.
    """

    name: str
    distribution: str
    version: str
    group: str
    point: importlib.metadata.EntryPoint
    misfit: str = ""


def installed_extensions(groups: Sequence[str] = (GROUP, COMMANDS)) -> tuple[Extension, ...]:
    """All entry points of these groups, by distribution and name; none is imported."""
    every = importlib.metadata.entry_points()
    ranges: dict[str, list[str]] = {}
    for point in every.select(group=API_RANGE):
        ranges.setdefault(_metadata(point)[0], []).append(point.name)
    found = []
    for group in groups:
        for point in every.select(group=group):
            distribution, version = _metadata(point)
            misfit = api.misfit(sorted(ranges.get(distribution, ())))
            found.append(Extension(point.name, distribution, version, group, point, misfit))
    return tuple(sorted(found, key=lambda e: (e.group, normalise(e.distribution), e.name)))


def find_plugins(
    builtins: Sequence[object | str], selection: Selection, extensions: Iterable[Extension]
) -> tuple[Plugin, ...]:
    """Built-ins in the given order, then third parties in that of `extensions`."""
    own = [_builtin(module, selection) for module in builtins]
    others = [
        Plugin(
            e.name,
            e.distribution,
            e.version,
            False,
            e.point.load,
            selection.left_out(e.name, e.distribution),
            e.misfit,
        )
        for e in extensions
        if e.group == GROUP
    ]
    return (*own, *others)


def commands(selection: Selection, extensions: Iterable[Extension]) -> tuple[Extension, ...]:
    """Commands of the extensions that may load, those that do not fit, too."""
    found = (e for e in extensions if e.group == COMMANDS)
    return tuple(e for e in found if not selection.left_out(e.name, e.distribution))


def as_plugin(extension: Extension) -> Plugin:
    """What to blame where this entry point goes wrong."""
    e = extension
    return Plugin(e.name, e.distribution, e.version, False, e.point.load, "", e.misfit)


def refuse_unknown(disabled: Iterable[str], found: Iterable[Plugin], extensions: Iterable[Extension]) -> None:
    """Nothing, where each of `disabled` names a plugin or distribution.

    Raises:
        UserError: one names none.
    """
    known = {normalise(name) for e in extensions for name in (e.name, e.distribution)}
    known |= {normalise(plugin.name) for plugin in found}
    for name in disabled:
        if normalise(name) not in known:
            hint = did_you_mean(normalise(name), known, "`trtdebug ext list` shows what is there.")
            raise UserError(f"There is no plugin named {name!r} to disable.", hint)


def missing(selection: Selection, extensions: Iterable[Extension]) -> list[str]:
    """Distributions that TRTDEBUG_LOAD_PLUGINS names and that are not there."""
    there = {normalise(extension.distribution) for extension in extensions}
    return sorted((selection.only or frozenset()) - there)


def _builtin(module: object | str, selection: Selection) -> Plugin:
    dotted = module if isinstance(module, str) else getattr(module, "__name__", type(module).__name__)
    name = dotted.rpartition(".")[2]
    load = partial(importlib.import_module, module) if isinstance(module, str) else lambda: module
    return Plugin(
        name, "trtdebug", __version__, True, load, selection.left_out(name, "trtdebug", builtin=True)
    )


def _metadata(point: importlib.metadata.EntryPoint) -> tuple[str, str]:
    """Name and version of its distribution. Reads two lines only: to parse all of it takes a millisecond."""
    dist = point.dist
    try:
        text = (dist and (dist.read_text("METADATA") or dist.read_text("PKG-INFO"))) or ""
    except (OSError, UnicodeError):
        text = ""
    head = text.partition("\n\n")[0]
    name, version = (re.search(rf"(?mi)^{key}:[ \t]*(\S+)", head) for key in ("Name", "Version"))
    # a dist-info without METADATA still has a module
    module = point.value.partition(":")[0].partition(".")[0].strip()
    return name[1] if name else module, version[1] if version else "unknown"
