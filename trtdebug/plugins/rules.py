"""What a plugin has to keep to: names of hooks, types of what they return."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from trtdebug.plugins import spec

HOOKS = tuple(name for name in vars(spec) if name.startswith("trtdebug_"))
KINDS = {
    "backends": "Backend",
    "checks": "Check",
    "fixes": "FixProposer",
    "metrics": "Metric",
    "localizers": "Localizer",
    "inputs": "InputSource",
    "reports": "ReportFormat",
    "executors": "ExecutorFactory",
    "operators": "Operator",
}
BACKEND = ("name", "summary", "realises", "deterministic", "probe", "build")


def wrong_names(module: object, implemented: Collection[str]) -> Iterator[tuple[str, str]]:
    """Hooks that will never be called, each with the reason; `implemented`: those marked `@hookimpl`."""
    for name in sorted(set(implemented) - set(HOOKS)):
        near = difflib.get_close_matches(name, HOOKS, n=1, cutoff=0)[0]
        yield name, f"There is no hook {name}. Did you mean {near}?"
    for name in HOOKS:
        if name not in implemented and hasattr(module, name):
            yield name, f"{name} lacks @hookimpl and is not called."


def checked(kind: str, result: object) -> list[Any]:
    """What the hook `trtdebug_<kind>` returned, as a list; empty for an event, whose result is nobody's.

    Raises:
        TypeError: it holds anything else than it should, or something without a name.
    """
    if kind not in KINDS:
        return []
    wanted = KINDS[kind]
    rule = f"trtdebug_{kind} has to return an iterable of {wanted}"
    if not isinstance(result, Iterable):
        raise TypeError(f"{rule}, not {type(result).__name__}")
    values = list(result)
    for value in values:
        if not _fits(kind, value):
            raise TypeError(f"{rule}; this one holds {type(value).__name__}")
        if not isinstance(value.name, str) or not value.name:
            raise TypeError(f"{rule}s, each with a name; this one holds the name {value.name!r}")
    return values


def _fits(kind: str, value: object) -> bool:
    if kind == "backends":
        # by the class first: a property may have to import what takes seconds
        return all(hasattr(type(value), name) or hasattr(value, name) for name in BACKEND)
    from trtdebug.plugins import types  # not at import: it takes numpy, and `trtdebug --help` has to be quick

    return isinstance(value, getattr(types, KINDS[kind]))
