"""What others named and said, made fit for a terminal."""

from __future__ import annotations

import shlex


def printable(text: str) -> str:
    """Control characters and line breaks escaped: a name can't break a table or act on a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(error: object) -> str:
    """Its text on one line."""
    return " ".join(str(error).split())


def shell_word(text: str) -> str:
    """One word of a POSIX shell that neither runs anything nor acts on the terminal that shows it."""
    if text.isprintable():
        return shlex.quote(text)
    body = text.rstrip("\n")  # the shell drops line breaks at the end of what a command prints
    breaks = "'" + text[len(body) :] + "'" if len(body) < len(text) else ""
    return f"\"$(printf -- '{''.join(map(_octal, body))}')\"{breaks}"


def shell_line(*words: str) -> str:
    """A command of these words; see `shell_word`."""
    return " ".join(map(shell_word, words))


def _octal(character: str) -> str:
    if character == "%":
        return "%%"
    if character.isprintable() and character not in "'\\":
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "replace"))
