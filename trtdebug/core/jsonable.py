"""Dataclasses of `core` to and from JSON text. Strict JSON: non-finite floats travel as "inf", "-inf", "nan"."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any, TypeVar

import cattrs
from cattrs.strategies import configure_tagged_union

from trtdebug.core.intervention import Intervention

T = TypeVar("T")


@lru_cache(maxsize=1)
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=False)
    converter.register_unstructure_hook(float, lambda x: x if math.isfinite(x) else repr(x))
    configure_tagged_union(Intervention, converter, tag_name="kind")
    return converter


def to_data(value: Any, kind: Any = None) -> Any:
    """JSON-able data of a dataclass (or of containers of them). `kind` is the declared type, where it matters."""
    return _converter().unstructure(value, unstructure_as=kind)


def from_data(data: Any, kind: type[T]) -> T:
    """The inverse of `to_data`. Raises cattrs' errors, or ValueError, on data of another shape."""
    if is_dataclass(kind) and not isinstance(data, Mapping):  # cattrs takes a list for one without its fields
        raise ValueError(f"it holds {type(data).__name__}, not an object")
    return _converter().structure(data, kind)


def dumps(value: Any, indent: int | None = None) -> str:
    """Canonical JSON text: sorted keys, no NaN literals."""
    return json.dumps(to_data(value), sort_keys=True, indent=indent, allow_nan=False, ensure_ascii=False)


def loads(text: str, kind: type[T]) -> T:
    """Parses what `dumps` wrote."""
    return from_data(json.loads(text), kind)


def fault(error: Exception) -> str:
    """What is wrong with a text that `loads` does not take, in one line."""
    if not isinstance(error, cattrs.BaseValidationError):
        return " ".join(str(error).split()) or type(error).__name__
    first, *more = cattrs.transform_error(error)
    return " ".join(first.split()) + (f" (and {len(more)} more)" if more else "")


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON text: the name of a thing by its content."""
    return hashlib.sha256(dumps(value).encode()).hexdigest()
