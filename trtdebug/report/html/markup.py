"""HTML by parts: every string in it is made fit to be shown and escaped, except what was made here."""

from __future__ import annotations

import html

from trtdebug.report.strings import plain


class Markup(str):
    """HTML, as opposed to text."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: str | bool | None) -> Markup:
    """An element. `None` children and attributes are left out; `class_` and `for_` lose their underscore, other
    ones become hyphens; an attribute that is True has no value."""
    inner = "".join(text(child) for child in children if child is not None)
    return Markup(f"<{name}{_attributes(attributes)}>{inner}</{name}>")


def join(*parts: str | None) -> Markup:
    """Parts side by side."""
    return Markup("".join(text(part) for part in parts if part is not None))


def text(part: str) -> Markup:
    """The part as HTML."""
    return part if isinstance(part, Markup) else Markup(html.escape(plain(part)))


def _attributes(attributes: dict[str, str | bool | None]) -> str:
    given = {
        name.rstrip("_").replace("_", "-"): value
        for name, value in attributes.items()
        if value not in (None, False)
    }
    return "".join(
        f" {name}" if value is True else f' {name}="{html.escape(plain(str(value)))}"'
        for name, value in given.items()
    )
