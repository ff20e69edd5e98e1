"""What others named and said, made fit for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Control characters and line breaks escaped: a name can't break a table or act on a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(error: object) -> str:
    """Its text on one line."""
    return " ".join(str(error).split())
