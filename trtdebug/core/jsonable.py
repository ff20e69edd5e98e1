"""Dataclasses of `core` to and from JSON text. Strict JSON: non-finite floats travel as "inf", "-inf", "nan".

What is read is held against the declared types: nothing is made of a value of another kind.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn
from cattrs.strategies import configure_tagged_union

from trtdebug.core.intervention import Intervention

T = TypeVar("T")


@lru_cache(maxsize=1)
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=False)
    converter.register_unstructure_hook(float, lambda x: x if math.isfinite(x) else repr(x))
    converter.register_structure_hook(bool, _bool)
    converter.register_structure_hook(int, _int)
    converter.register_structure_hook(float, _float)
    converter.register_structure_hook(str, _str)
    converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _texts)
    converter.register_structure_hook_factory(is_dataclass, lambda kind: _object(kind, converter))
    configure_tagged_union(Intervention, converter, tag_name="kind")
    return converter


def _object(kind: type, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """Reads a dataclass. By itself cattrs takes a text or a list for an object without its fields."""
    read: Callable[[Any, Any], Any] = make_dict_structure_fn(kind, converter)

    def from_object(data: Any, kind: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValueError(f"it holds {type(data).__name__}, not an object")
        return read(data, kind)

    return from_object


def _bool(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _int(value: Any, _: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is no whole number")
    return value


def _float(value: Any, _: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number and value not in ("inf", "-inf", "nan"):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _str(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    value.encode()  # half a surrogate pair, which JSON can say, is a ValueError
    return value


def _texts(value: Any, _: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):  # each letter of a text would be one
        raise ValueError(f"{value!r} is no list of texts")
    return tuple(_str(text, str) for text in value)


def to_data(value: Any, kind: Any = None) -> Any:
    """JSON-able data of a dataclass (or of containers of them). `kind` is the declared type, where it matters."""
    return _converter().unstructure(value, unstructure_as=kind)


def from_data(data: Any, kind: type[T]) -> T:
    """The inverse of `to_data`. Raises cattrs' errors, or ValueError, on data of another shape."""
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
