"""Starts TensorRT before anything else: the seconds that it takes, once a process, pass while the rest is read.

It goes by the raw words of the command line. Where it guesses wrong, a process is ended that nobody needed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from trtdebug.api.opening import SLOW, wants_tensorrt
from trtdebug.cli.config import Config, load_config
from trtdebug.core.errors import UserError

_COMMANDS = ("run", "bisect", "fix", "repro", "compare")


def start_early(words: Sequence[str]) -> None:
    """Starts a worker for what `words` (without the program's name) are going to ask. Returns at once."""
    if not any(w in _COMMANDS for w in words) or not any(Path(w).is_file() for w in words):
        return
    try:
        config = Config() if "--no-config" in words else load_config()
    except UserError:  # the command is going to say so
        return
    asked = any(w.partition("=")[0] == "--gpus" for w in words)
    if asked or os.environ.get("TRTDEBUG_GPUS") or "gpus" in config.options:
        return  # which GPU the first worker gets is not known yet
    candidate = config.options.get("candidate")
    if not wants_tensorrt(_value(words, "--candidate") or (str(candidate.value) if candidate else "auto")):
        return
    from trtdebug.plugins.selection import Selection
    from trtdebug.session.ahead import start_ahead

    left_out = [_after(words, i, "-p").removeprefix("no:") for i, w in enumerate(words) if w == "-p"]
    selection = Selection.of((*left_out, *config.disabled), "--no-plugins" not in words)
    start_ahead(selection.to_env(), SLOW)


def _value(words: Sequence[str], option: str) -> str:
    """The last value of an option, in either spelling; "" where it is not given."""
    found = [w.partition("=")[2] for w in words if w.startswith(f"{option}=")]
    found += [_after(words, i, option) for i, w in enumerate(words) if w == option]
    return found[-1] if found else ""


def _after(words: Sequence[str], position: int, option: str) -> str:
    return words[position + 1] if position + 1 < len(words) else ""
