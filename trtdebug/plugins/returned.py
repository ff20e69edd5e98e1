"""What extensions' functions give back, held against what was agreed. Each raises `TypeError` where it is not that."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, get_args

import numpy as np

from trtdebug.core.intervention import Intervention, ReplaceGraph
from trtdebug.core.jsonable import dumps, from_data, to_data
from trtdebug.plugins.types import Finding, FixProposal, Severity

T = TypeVar("T")


def findings(name: str, values: object) -> tuple[Finding, ...]:
    """What the check `name` yields: findings whose fields are what they should be."""
    return _all_of(Finding, name, values, _fault_of_finding)


def proposals(name: str, values: object) -> tuple[FixProposal, ...]:
    """What the fix `name` yields: proposals that can be stored, compared and sorted."""
    return _all_of(FixProposal, name, values, _fault_of_proposal)


def samples(name: str, value: object) -> list[dict[str, np.ndarray[Any, Any]]]:
    """What the reader `name` loads: a list of samples, each an array by input name."""
    rule = f"{name} has to load a list of samples, each with a numpy array by input name"
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise TypeError(f"{rule}; it loads {type(value).__name__}")
    for sample in value:
        if not isinstance(sample, Mapping):
            raise TypeError(f"{rule}; a sample is {type(sample).__name__}")
        for key, array in sample.items():
            if not isinstance(key, str) or not isinstance(array, np.ndarray):
                raise TypeError(f"{rule}; a sample has {type(array).__name__} by {key!r}")
    return [dict(sample) for sample in value]


def text(name: str, value: object) -> str:
    """What the report `name` renders: text that can be written as UTF-8."""
    if not isinstance(value, str):
        raise TypeError(f"{name} has to give text; it gives {type(value).__name__}")
    value.encode("utf-8")
    return value


def _all_of(kind: type[T], name: str, values: object, fault: Callable[[T], str]) -> tuple[T, ...]:
    rule = f"{name} has to yield {kind.__name__}s"
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        raise TypeError(f"{rule}; it gives {type(values).__name__}")
    found = tuple(values)
    for value in found:
        if not isinstance(value, kind):
            raise TypeError(f"{rule}; it yields {type(value).__name__}")
        if wrong := fault(value):
            raise TypeError(f"{rule} that are whole: {wrong}")
    return found


def _fault_of_finding(finding: Finding) -> str:
    if finding.severity not in get_args(Severity):
        return f"the severity is {finding.severity!r}, not one of {', '.join(get_args(Severity))}"
    if not isinstance(finding.node, str | None):
        return f"node is {type(finding.node).__name__}, not a name or None"
    return _no_text(finding, "id", "message", "mitigation")


def _fault_of_proposal(proposal: FixProposal) -> str:
    cost: object = proposal.cost
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not math.isfinite(cost):
        return f"cost is {cost!r}, not a number"
    if not isinstance(proposal.interventions, tuple):
        return f"interventions is {type(proposal.interventions).__name__}, not a tuple"
    for intervention in proposal.interventions:
        if not isinstance(intervention, get_args(Intervention)) or not _stays_itself(intervention):
            return f"{intervention!r} is no intervention that can be stored"
    if not proposal.interventions and not proposal.obstacle:
        return "it changes nothing, and no obstacle says why"
    if sum(isinstance(i, ReplaceGraph) for i in proposal.interventions) > 1:
        return "it names more than one ReplaceGraph, and one model is built"
    return _no_text(proposal, "kind", "summary", "beside", "obstacle")


def _stays_itself(intervention: object) -> bool:
    """Whether it comes back from its JSON as it was: a list in place of a tuple does not."""
    try:
        dumps(data := to_data(intervention, Intervention))
        return bool(from_data(data, Intervention) == intervention)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - cattrs and json raise what they like; the caller names the thing
        return False


def _no_text(value: object, *fields: str) -> str:
    wrong = [f for f in fields if not isinstance(getattr(value, f), str)]
    return f"{wrong[0]} is {type(getattr(value, wrong[0])).__name__}, not text" if wrong else ""
