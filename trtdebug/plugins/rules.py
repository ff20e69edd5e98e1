"""What a plugin has to keep to: names of hooks, types of what they return."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pluggy

from trtdebug.plugins import fields, spec

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
    bare = {n for n, v in _functions(module) if n not in implemented and n not in HOOKS}
    for name in sorted({*implemented, *bare} - set(HOOKS)):
        near = nearest(name, HOOKS, 0 if name in implemented else 0.75)
        if near:
            yield name, f"There is no hook {name}. Did you mean {near}?"
    for name in HOOKS:
        if name not in implemented and hasattr(module, name):
            yield name, f"{name} lacks @hookimpl and is not called."


def wrong_arguments(module: object) -> Iterator[str]:
    """What is wrong with the arguments of the hooks in a module, a line each."""
    for name, function in _functions(module):
        if name not in HOOKS or not hasattr(function, "trtdebug_impl"):
            continue
        known = tuple(inspect.signature(getattr(spec, name)).parameters)
        takes = f"it is called with {', '.join(known)}" if known else "it is called with none"
        for argument in inspect.signature(function).parameters.values():
            if argument.name not in known and argument.default is argument.empty:
                near = nearest(argument.name, known, 0)
                hint = f" Did you mean {near}?" if near else ""
                yield f"{name} has an argument {argument.name!r}; {takes}.{hint}"


def refuse_wrong_arguments(module: object) -> None:
    """Raises `TypeError` for a hook in a module that cannot be called as it is."""
    wrong = " ".join(wrong_arguments(module))
    if wrong:
        raise TypeError(wrong)


def nearest(name: str, known: Collection[str], cutoff: float = 0.6) -> str:
    """The one of `known` that is most like `name`; empty where none is."""
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=cutoff)), "")


def _functions(module: object) -> list[tuple[str, Any]]:
    """Functions of the module that are named like hooks, by name."""
    names = sorted(n for n in dir(module) if n.startswith("trtdebug_"))
    return [(n, v) for n in names if inspect.isroutine(v := getattr(module, n))]


def result_of(hook: str, implementation: pluggy.HookImpl, data: Mapping[str, Any]) -> list[Any]:
    """Calls an implementation of `trtdebug_<hook>` with what it takes of `data`.

    Raises:
        TypeError: it gives something else than it should, or is a wrapper of others, which nobody is.
    """
    if implementation.hookwrapper or implementation.wrapper:
        raise TypeError(f"trtdebug_{hook} wraps the hooks of others, and each runs by itself")
    with _lent(data) as seen:
        given = implementation.function(*(seen[name] for name in implementation.argnames))
        return checked(hook, given)


def checked(kind: str, result: object) -> list[Any]:
    """What the hook `trtdebug_<kind>` returned, as a list; empty for an event, whose result is nobody's.

    Raises:
        TypeError: it holds anything else than it should, or something without a name, or with fields of other types.
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
        if kind == "metrics" and value.name in _built_in_numbers():
            raise TypeError(f"the name of the metric {value.name!r} is that of a built-in number")
        if kind != "backends" and (wrong := fields.fault(value)):
            raise TypeError(f"{rule}s that are whole; of {value.name!r} {wrong}")
    return values


def _built_in_numbers() -> tuple[str, ...]:
    from trtdebug.oracle.compare import NUMBERS  # not at import, as in _fits

    return NUMBERS


@contextmanager
def _lent(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What an implementation is called with: a report is its own copy."""
    event: Any = data.get("event")
    if not hasattr(event, "report"):
        yield data
        return
    from trtdebug.plugins.lending import lent  # not at import, as in _fits

    with lent(event.report) as report:
        yield {"event": replace(event, report=report)}


def _fits(kind: str, value: object) -> bool:
    if kind == "backends":
        # by the class first: a property may have to import what takes seconds
        return all(hasattr(type(value), name) or hasattr(value, name) for name in BACKEND)
    from trtdebug.plugins import types  # not at import: it takes numpy, and `trtdebug --help` has to be quick

    return isinstance(value, getattr(types, KINDS[kind]))
