"""What an argument of the Python API may be: checked, and made what an option of the command line holds."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from reprlib import Repr
from typing import Any

import numpy as np

from trtdebug.core.errors import UserError

_SHOWN = Repr()
_SHOWN.maxstring = _SHOWN.maxother = 80


@dataclass(frozen=True)
class Kind:
    """A kind of values.

    Attributes:
        expected: what is allowed, in words.
        convert: gives the value as the option's. Raises TypeError, ValueError, AttributeError or OverflowError for one
            that is not allowed.
    """

    expected: str
    convert: Callable[[Any], Any]

    def taken(self, name: str, value: Any) -> Any:
        """The argument `name`, converted. Raises `UserError`, which tells what is expected, for what is not allowed."""
        try:
            return self.convert(value)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            shown = " ".join(_SHOWN.repr(value).split())
            raise UserError(
                f"{name}={shown} is not understood: {error}.", f"Expected: {self.expected}."
            ) from None


def whole(least: int, most: int | None = None) -> Kind:
    """Whole numbers from `least` on, up to `most` where that is given."""
    words = f"a whole number of {least} or more" if most is None else f"a whole number from {least} to {most}"

    def convert(value: Any) -> int:
        number = int(_number(value))
        if number != value or number < least or (most is not None and number > most):
            raise ValueError(f"it takes {words}")
        return number

    return Kind(words, convert)


def one_of(words: Iterable[str]) -> Kind:
    """One of these words."""
    known = tuple(words)

    def convert(value: Any) -> Any:
        if value not in known:
            raise ValueError("there is nothing of that name")
        return value

    return Kind(f"one of {', '.join(map(repr, known))}", convert)


def _flag(value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"it is of type {type(value).__name__}")
    return bool(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"it is of type {type(value).__name__}")
    return value


def _function(value: Any) -> Any:
    if not callable(value):
        raise TypeError(f"it is of type {type(value).__name__}")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{_SHOWN.repr(value)} is no number")
    if value != value:
        raise ValueError("nan is not a number")
    return value  # type: ignore[return-value]  # an int stays one


def _seconds(value: Any) -> float:
    seconds = float(_number(value))
    if not 1 <= seconds <= 1e7:
        raise ValueError(f"{seconds:g} is not from 1 to 1e7")
    return seconds


def _tolerance(value: Any) -> str:
    number = float(_number(value))
    if number < 0:
        raise ValueError(f"{number:g} is less than 0")
    return repr(number)


def _tolerances(values: Any) -> list[str]:
    named = values if isinstance(values, Mapping) else {"": values}
    return [f"{_text(n)}:{_tolerance(v)}" if n else _tolerance(v) for n, v in named.items()]


def _ranges(ranges: Any) -> list[str]:
    named = ranges if isinstance(ranges, Mapping) else {"": ranges}
    texts = []
    for name, pair in named.items():
        if np.shape(pair) != (2,):
            raise ValueError(f"{pair!r} is no pair of numbers")
        low, high = (float(_number(end)) for end in pair)
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError("it needs two finite numbers, LOW <= HIGH")
        text = f"[{low!r},{high!r}]"
        texts.append(f"{_text(name)}:{text}" if name else text)
    return texts


def _several(values: Any) -> Iterable[Any]:
    """What holds several values; else a TypeError that shows it."""
    if not isinstance(values, Iterable):
        raise TypeError(f"{_SHOWN.repr(values)} is no list")
    return values


def _shapes(shapes: Any) -> list[str]:
    if not isinstance(shapes, Mapping):
        raise TypeError(f"it is of type {type(shapes).__name__}")
    sizes = {
        _text(name): [whole(0).convert(size) for size in _several(shape)] for name, shape in shapes.items()
    }
    return [f"{name}:[{','.join(map(str, shape))}]" for name, shape in sizes.items()]


def _path(path: Any) -> Path:
    if isinstance(path, str) and not path:
        raise ValueError("it is empty")
    return Path(path)


def _paths(paths: Any) -> list[Path]:
    if isinstance(paths, (str, os.PathLike)):
        raise TypeError("it takes several paths, in a list")
    return [_path(path) for path in _several(paths)]


def _names(names: Any) -> list[str]:
    if isinstance(names, str):
        raise TypeError("it takes several names, in a list")
    return [_text(name) for name in _several(names)]


def _gpus(numbers: Any) -> str:
    if isinstance(numbers, str):
        return str(one_of(["all"]).convert(numbers))
    if isinstance(numbers, bytes):
        raise TypeError("it is of type bytes")
    found = [whole(0).convert(number) for number in _several(numbers)]
    if not found or len(set(found)) != len(found):
        raise ValueError("it takes one number or more, each once")
    return ",".join(map(str, found))


FLAG = Kind("True or False", _flag)
TEXT = Kind("a text", _text)
FUNCTION = Kind("a function, or none", _function)
PATH = Kind("a path, as text or a pathlib.Path", _path)
PATHS = Kind("paths, in a list", _paths)
NAMES = Kind('names, in a list, or "all"', _names)
SECONDS = Kind("seconds, from 1 to 10,000,000", _seconds)
TOLERANCES = Kind("a number of 0 or more, or one by output name: {'y': 1e-3}", _tolerances)
RANGES = Kind("a lowest and a highest number, or both by input name: {'x': (0, 1)}", _ranges)
SHAPES = Kind("a shape by input name: {'x': (1, 3, 224, 224)}", _shapes)
GPUS = Kind('numbers of GPUs, in a list, or "all"', _gpus)
