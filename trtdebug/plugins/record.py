"""What the plugin manager knows and tells of a plugin."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from trtdebug.core.time_limit import TookTooLong
from trtdebug.plugins.contained import Contained, seconds
from trtdebug.plugins.discovery import Plugin
from trtdebug.plugins.rules import HOOKS

T = TypeVar("T")
State = Literal["active", "disabled", "failed", "refused"]


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
        state: "refused" needs another version of the API.
        error: why it failed or was refused, one line.
    """

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...]
    state: State
    builtin: bool
    error: str = ""


@dataclass(frozen=True)
class Provided(Generic[T]):
    """What a hook returned, and whose it is."""

    value: T
    provider: Plugin


class Record:
    """Which plugins failed, and everything that went wrong, in order.

    Attributes:
        listeners: told of each problem.
    """

    def __init__(self) -> None:
        self.listeners: list[Callable[[Problem], None]] = []
        self._problems: list[Problem] = []
        self._failed: dict[Plugin, str] = {}
        self._printed: set[tuple[Plugin, str | None]] = set()

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(self._problems)

    def failure(self, plugin: Plugin) -> str:
        """Why it failed, one line; empty where it did not."""
        return self._failed.get(plugin, "")

    def info(self, plugin: Plugin, hooks: Iterable[str]) -> PluginInfo:
        """What is known of a plugin that implements these hooks."""
        state: State = "active"
        if plugin.off:
            state = "disabled"
        elif plugin.misfit:
            state = "refused"
        elif self.failure(plugin):
            state = "failed"
        why = "" if plugin.off else plugin.misfit or self.failure(plugin)
        known = tuple(name for name in hooks if name in HOOKS)
        return PluginInfo(plugin.name, plugin.distribution, plugin.version, known, state, plugin.builtin, why)

    @contextmanager
    def guard(
        self,
        plugin: Plugin,
        what: str | None,
        allow: tuple[type[BaseException], ...] = (),
        limit: float | None = None,
    ) -> Iterator[None]:
        """Around a plugin's code: what it raises, but for `allow`, is reported, and its hooks rest.

        A third party's takes no longer than `limit` seconds (default: `contained.seconds`), does not end the process,
        and does not write to stdout. Also for what a hook returned::

            with manager.guard(found.provider, f"check {found.value.name}"):
                findings += found.value.run(context)
        """
        bounds = Contained(limit or seconds())
        try:
            if plugin.builtin:
                yield
            else:
                with bounds.working():
                    yield
        except allow:
            raise
        except TookTooLong:
            self.fail(plugin, what, f"took more than {limit or seconds():g} s")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an extension may raise anything
            self.fail(plugin, what, f"{type(error).__name__}: {error}", traceback.format_exc())
        except BaseException as error:  # its own kinds
            if plugin.builtin or isinstance(error, KeyboardInterrupt | GeneratorExit):
                raise
            self.fail(plugin, what, f"{type(error).__name__}: {error}", traceback.format_exc())
        finally:
            if bounds.printed and (plugin, what) not in self._printed:  # an event may print at each trial
                self._printed.add((plugin, what))
                said = (
                    f"wrote {bounds.printed} bytes to stdout, which belongs to the command: {bounds.begins!r}"
                )
                self.report(plugin, what, said)

    def fail(self, plugin: Plugin, what: str | None, error: str, trace: str = "") -> None:
        """Adds a problem, after which none of the plugin's hooks is called."""
        self._failed[plugin] = " ".join(error.split())
        self.report(plugin, what, self._failed[plugin], trace)

    def report(self, plugin: Plugin, what: str | None, error: str, trace: str = "") -> None:
        """Adds a problem; `what` is the hook or piece of work."""
        self._add(Problem(plugin.name, plugin.distribution, plugin.version, what, error, trace))

    def report_missing(self, distributions: Iterable[str]) -> None:
        """Adds a problem for each distribution that TRTDEBUG_LOAD_PLUGINS asks for in vain."""
        for name in distributions:
            self._add(Problem(name, name, "", None, "TRTDEBUG_LOAD_PLUGINS: is not installed"))

    def refuse(self, plugins: Iterable[Plugin]) -> None:
        """Adds a problem for each plugin that needs another version of the API."""
        for plugin in plugins:
            self.report(plugin, None, plugin.misfit)

    def _add(self, problem: Problem) -> None:
        if problem in self._problems:  # said once
            return
        self._problems.append(problem)
        for listener in self.listeners:
            listener(problem)
