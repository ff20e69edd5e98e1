"""Shape syntax: `x:4x1x28x28` as trtexec writes it and `x:[4,1,28,28]` as polygraphy does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from trtdebug.core.errors import UserError

_HINT = "Write x:4x1x28x28 or x:[4,1,28,28]; for a scalar x:[]."
_FULL_WIDTH_COMMA = "，"
_BRACKETED = re.compile(r"\[\s*(.*?)\s*\]", re.DOTALL)


def parse_shapes(items: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Shapes by input name from what a user wrote.

    An item holds one shape or several, apart by commas or blanks. Names may hold colons: the last one ends
    the name; and blanks and commas, where no colon comes before them. `x:[]` and `x:` are scalars.

    Raises:
        UserError: not such a shape, a dimension that is no number >= 0, or two different shapes for one name.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for item in items:
        for text in _split(item.replace(_FULL_WIDTH_COMMA, ",")):
            name, shape = _parse(text)
            if shapes.setdefault(name, shape) != shape:
                raise UserError(f"Two shapes for {name!r}: {shapes[name]} and {shape}.", "Give one.")
    return shapes


def format_trtexec(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """These shapes as trtexec reads them after --shapes=: `x:4x1,y:2`."""
    return ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())


def format_polygraphy(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """These shapes as polygraphy reads them after --input-shapes, one argument each: `x:[4,1]`."""
    return [f"{name}:[{','.join(map(str, shape))}]" for name, shape in shapes.items()]


def shape_text(shape: Iterable[int | str | None]) -> str:
    """A shape in messages, what is not known as a question mark: `[batch,?,28]`."""
    return f"[{','.join('?' if dim is None else str(dim) for dim in shape)}]"


def _split(text: str) -> Iterator[str]:
    """The shapes in a text, each with its name: what has no colon begins the name that goes on behind it."""
    begun, end = "", 0
    for part in split_outside_brackets(text, ", \t\n"):
        start = text.index(part, end)
        between, end = text[end:start], start + len(part)
        begun = f"{begun}{between}{part}" if begun else part
        if ":" in part:
            yield begun
            begun = ""
    if begun:
        yield begun


def split_outside_brackets(text: str, separators: str) -> Iterator[str]:
    """The non-empty parts of `text` between separators that stand outside [...]."""
    depth, start = 0, 0
    for position, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if depth == 0 and character in separators:
            if position > start:
                yield text[start:position]
            start = position + 1
    if start < len(text):
        yield text[start:]


def _parse(text: str) -> tuple[str, tuple[int, ...]]:
    name, colon, dims = text.rpartition(":")
    if not colon or not name:
        raise UserError(f"{text!r} is not a shape of an input: there is no name before a colon.", _HINT)
    bracketed = _BRACKETED.fullmatch(dims)
    if bracketed:
        numbers = re.split(r"\s*,\s*", bracketed[1]) if bracketed[1] else []
    else:
        numbers = dims.split("x") if dims else []
    for number in numbers:
        if not (number.isascii() and number.isdigit()):
            raise UserError(f"{dims!r} is not a shape (of {name!r}): {number!r} is no number >= 0.", _HINT)
    return name, tuple(int(number) for number in numbers)
