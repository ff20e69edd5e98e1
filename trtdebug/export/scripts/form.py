"""The form of fix.json, as far as the scripts read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Each:
    """An object with any keys, all of whose values have this form."""

    form: Any


_PRECISION = frozenset(("fp32", "fp16", "bf16", "int8"))
_TEXT_OR_NONE, _NUMBER_OR_NONE = (str, type(None)), (int, type(None))
_SHAPES = Each({"min": [int], "opt": [int], "max": [int]})
_TACTIC = {"layer": str, "tactic": str}
_INTERVENTIONS: dict[str, dict[str, Any]] = {
    "PinPrecision": {"nodes": [str], "dtype": _PRECISION},
    "ForcePrecision": {"dtype": _PRECISION},
    "MarkOutputs": {"tensors": [str]},
    "BreakFusion": {"tensor": str},
    "BanTactic": _TACTIC,
    "UseTactic": _TACTIC,
    "Knob": {"name": str, "value": str},
    "ReplaceGraph": {"model": str},
}
_OPTIONS = {
    "precision": _PRECISION,
    "tf32": bool,
    "optimization_level": _NUMBER_OR_NONE,
    "workspace": _NUMBER_OR_NONE,
    "tactic_sources": _TEXT_OR_NONE,
    "plugins": [str],
    "marks": [str],
}
_FIX = {
    "schema": int,
    "interventions": [{"kind": str}],
    "case": {"model": str, "candidate_model": _TEXT_OR_NONE, "options": _OPTIONS},
    "profiles": _SHAPES,
    "values": _SHAPES,
    "operators": Each(str),
    "apart": bool,
    **dict.fromkeys(("model", "typed", "calibration", "timing_cache"), _TEXT_OR_NONE),
    "typed_reason": str,
}
_WORDS = {str: "text", int: "a whole number", bool: "true or false", type(None): "null"}


def fault(fix: Any) -> str:
    """What of the content of fix.json is of another form, and of which it should be; empty where nothing is."""
    found = _fault(fix, _FIX, "")
    if found:
        return found
    return _first(
        _fault(item, _INTERVENTIONS.get(item["kind"], {}), f"interventions[{number}]")
        for number, item in enumerate(fix["interventions"])
    )


def _fault(value: Any, form: Any, where: str) -> str:
    if isinstance(form, list):
        if not isinstance(value, list):
            return f"{where} is not a list"
        return _first((_fault(part, form[0], f"{where}[{number}]") for number, part in enumerate(value)))
    if isinstance(form, Each | dict):
        if not isinstance(value, dict):
            return f"{where or 'it'} is not an object"
        forms = dict.fromkeys(value, form.form) if isinstance(form, Each) else form
        lost = [f"it has no {_at(where, key)}" for key in forms if key not in value]
        return _first(lost) or _first(_fault(value[key], forms[key], _at(where, key)) for key in forms)
    if isinstance(form, frozenset):
        known = isinstance(value, str) and value in form
        return "" if known else f"{where} is none of {', '.join(sorted(form))}"
    kinds = form if isinstance(form, tuple) else (form,)
    told = f"{where} is not {' or '.join(_WORDS[kind] for kind in kinds)}"
    return "" if type(value) in kinds else told  # by isinstance true is a whole number, too


def _first(faults: Iterable[str]) -> str:
    return next(filter(None, faults), "")


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
