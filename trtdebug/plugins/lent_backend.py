"""Backends of third parties as the command's own process sees them: what goes wrong there is told, and does no harm.

What only workers call (`build`, `warm_up`, `support`) is the backend's own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from trtdebug.core.availability import Availability
from trtdebug.core.case import BuildOptions
from trtdebug.core.intervention import Knob
from trtdebug.plugins.owned import Broken, Owned
from trtdebug.plugins.record import Provided, Record

if TYPE_CHECKING:
    from trtdebug.backends.base import Backend

T = TypeVar("T")


def lent_backend(found: Provided[Backend], record: Record) -> Backend:
    """The backend, with exactly the abilities (protocols of trtdebug.backends.base) that it has."""
    if found.provider.builtin:
        return found.value
    given: Any = found.value
    has = {a: _ABILITIES[a] for a in _ABILITIES if hasattr(type(given), a) or hasattr(given, a)}
    # a class for each: whether an object meets a protocol may be looked up, and remembered, by its class
    kind = type("LentBackend", (_Lent,), has)
    return cast("Backend", kind(given, Owned(record, found.provider, f"backend {given.name}")))


class _Lent:
    def __init__(self, backend: Any, owned: Owned) -> None:
        self.name, self.summary, self.build = backend.name, backend.summary, backend.build
        self._backend, self._owned = backend, owned
        self._broken: dict[str, str] = {}

    @property
    def deterministic(self) -> bool:
        return self._ask("deterministic", False, lambda: bool(self._backend.deterministic))

    @property
    def realises(self) -> frozenset[str]:
        return self._ask("realises", frozenset(), lambda: _names(self._backend.realises))

    def probe(self) -> Availability:
        return self._available("probe")

    def _available(self, part: str) -> Availability:
        found = self._ask(part, None, lambda: _availability(getattr(self._backend, part)()))
        return found or Availability(False, reason=self._broken[part])

    def _ask(self, part: str, otherwise: T, work: Callable[[], T]) -> T:
        """What this part gives; `otherwise` where it goes wrong, and from then on."""
        if part not in self._broken:
            try:
                return self._owned.call(part, work)
            except Broken as error:
                self._broken[part] = error.message.removesuffix(".")
        return otherwise


def _flag(name: str) -> property:
    return property(lambda self: self._ask(name, False, lambda: bool(getattr(self._backend, name))))


def _own(name: str) -> property:
    return property(lambda self: getattr(self._backend, name))


def _try_out(self: _Lent) -> Availability:
    return self._available("try_out")


def _check_options(self: _Lent, options: BuildOptions, model: Path) -> None:
    self._ask("check_options", None, lambda: self._backend.check_options(options, model))


def _knobs(self: _Lent, options: BuildOptions, operators: Collection[str]) -> tuple[Knob, ...]:
    return self._ask("knobs", (), lambda: _only_knobs(self._backend.knobs(options, operators)))


_ABILITIES = {
    **{name: _flag(name) for name in ("stands_in", "owns_tensors", "bounds_memory", "keeps_engines")},
    **{name: _own(name) for name in ("warm_up", "support")},
    "try_out": _try_out,
    "check_options": _check_options,
    "knobs": _knobs,
}


def _availability(value: object) -> Availability:
    if not isinstance(value, Availability):
        raise TypeError(f"it has to give an Availability; it gives {type(value).__name__}")
    return value


def _names(value: object) -> frozenset[str]:
    names = None if isinstance(value, str) or not isinstance(value, Iterable) else frozenset(value)
    if names is None or not all(isinstance(name, str) for name in names):
        raise TypeError(f"it has to be names of interventions; it is {value!r}")
    return names


def _only_knobs(value: object) -> tuple[Knob, ...]:
    knobs = tuple(value) if isinstance(value, Iterable) else None
    if knobs is None or not all(isinstance(knob, Knob) for knob in knobs):
        raise TypeError(f"it has to give Knobs; it gives {value!r}")
    return knobs
