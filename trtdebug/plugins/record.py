"""What the plugin manager knows and tells of a plugin."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from trtdebug.plugins.discovery import Plugin

T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """What went wrong with a plugin. It is for the user to see; the session goes on.

    Attributes:
        hook: hook or piece of work ("check x") that went wrong; None for the import.
        error: one line.
        traceback: empty where nothing was raised.
    """

    plugin: str
    distribution: str
    version: str
    hook: str | None
    error: str
    traceback: str = ""


@dataclass(frozen=True)
class PluginInfo:
    """One line of `trtdebug ext list`.

    Attributes:
        hooks: names of the hooks it implements; empty where it was not imported.
        error: why it failed, one line.
    """

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...]
    state: Literal["active", "disabled", "failed"]
    builtin: bool
    error: str = ""


@dataclass(frozen=True)
class Provided(Generic[T]):
    """What a hook returned, and whose it is."""

    value: T
    provider: Plugin


class Record:
    """Which plugins failed, and everything that went wrong, in order."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._failed: dict[Plugin, str] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(self._problems)

    def failure(self, plugin: Plugin) -> str:
        """Why it failed, one line; empty where it did not."""
        return self._failed.get(plugin, "")

    @contextmanager
    def guard(
        self, plugin: Plugin, what: str | None, allow: tuple[type[BaseException], ...] = ()
    ) -> Iterator[None]:
        """Around a plugin's code: what it raises, but for `allow`, is reported, and its hooks rest.

        Also for what a hook returned::

            with manager.guard(found.provider, f"check {found.value.name}"):
                findings += found.value.run(context)
        """
        try:
            yield
        except allow:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an extension may raise anything
            self._failed[plugin] = " ".join(f"{type(error).__name__}: {error}".split())
            self.report(plugin, what, self._failed[plugin], traceback.format_exc())

    def report(self, plugin: Plugin, what: str | None, error: str, trace: str = "") -> None:
        """Adds a problem; `what` is the hook or piece of work."""
        self._problems.append(Problem(plugin.name, plugin.distribution, plugin.version, what, error, trace))

    def report_missing(self, distributions: Iterable[str]) -> None:
        """Adds a problem for each distribution that TRTDEBUG_LOAD_PLUGINS asks for in vain."""
        for name in distributions:
            self._problems.append(Problem(name, name, "", None, "TRTDEBUG_LOAD_PLUGINS: is not installed"))
