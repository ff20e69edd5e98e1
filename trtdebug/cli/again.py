"""Command lines told to the user, with the options before the command that this invocation was given."""

from __future__ import annotations

import shlex
from pathlib import Path

from trtdebug.cli import config, plugins


def again(*words: object) -> str:
    """`trtdebug WORDS ...` with the same plugins and config files as here."""
    return shlex.join(["trtdebug", *before_command(), *map(_word, words)])


def _word(word: object) -> str:
    """A path that begins with a dash is no option."""
    return f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word)


def before_command() -> list[str]:
    """The options of `trtdebug` itself that say which config files and plugins count."""
    return [*(["--no-config"] if config.ignored() else []), *plugins.left_out()]
