"""A session's log as a text that people edit: a line a trial with its verdict, and what happened as comments."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from trtdebug.core.errors import UserError
from trtdebug.scripts.words import printable
from trtdebug.session.session import Session

Verdict = Literal["pass", "fail", "skip"]
_WORDS = {"pass": "pass", "fail": "fail", "untestable": "skip"}
_SHOWN = 16
"""Digits of a trial's hash."""

_HEAD = """\
# A session of trtdebug. Each line is a trial and its verdict: pass, fail, or skip (it could not be tested).
# `trtdebug replay FILE` takes these verdicts as given and goes on from there: change a verdict, delete a line to have
# its trial done anew, add `skip-node NAME` for a node that is to stay in FP32. What follows # is a comment.
"""


@dataclass(frozen=True)
class Log:
    """What a log says.

    Attributes:
        session: the folder that holds the trials, as the log has it.
        verdicts: by trial, its hash or the beginning of it.
        nodes: to be skipped.
    """

    session: Path
    verdicts: dict[str, Verdict]
    nodes: tuple[str, ...] = ()


def log_text(session: Session) -> str:
    """The log of a session. Every name stands on one line, with control characters escaped."""
    lines = [_HEAD.rstrip("\n"), f"session {_quoted(str(session.folder))}", *_events(session)]
    lines += [f"skip-node {_quoted(node)}" for node in session.skips.nodes]
    return "\n".join(lines) + "\n"


def _events(session: Session) -> Iterator[str]:
    events = list(session.journal.read())
    last = {e["trial"]: i for i, e in enumerate(events) if e["event"] == "trial_finished"}
    skipped = set(session.skips.trials)
    for number, event in enumerate(events):
        when, kind = event["time"][:19], event["event"]
        rest = {
            k: v
            for k, v in event.items()
            if k not in ("time", "event", "trial", "status", "traceback") and v != ""
        }
        told = printable(", ".join(f"{k}={v}" for k, v in rest.items()))
        if kind == "trial_finished" and last[event["trial"]] == number:
            word = "skip" if event["trial"] in skipped else _WORDS[event["status"]]
            yield f"{word} {event['trial'][:_SHOWN]}  # {when} {told}"
        elif kind != "trial_started":
            yield f"# {when} {kind} {told}".rstrip()


def _quoted(name: str) -> str:
    """In quotes where it is more than a word; what cannot stand on a line in JSON's escapes."""
    return shlex.quote(name) if name.isprintable() and not name.startswith('"') else json.dumps(name)


def read_log(path: Path) -> Log:
    """What an edited log says.

    Raises:
        UserError: it cannot be read, or a line of it is not understood.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the log {path} cannot be read: {error}.", "`trtdebug log` writes one.") from error
    session: Path | None = None
    verdicts: dict[str, Verdict] = {}
    nodes: list[str] = []
    for number, line in enumerate(lines, start=1):
        words = _words(line, path, number)
        if not words:
            continue
        if words[0] == "session" and len(words) == 2:
            session = Path(words[1])
        elif words[0] == "skip-node" and len(words) == 2:
            nodes.append(words[1])
        elif words[0] in get_args(Verdict) and len(words) == 2 and re.fullmatch("[0-9a-f]{8,64}", words[1]):
            verdicts[words[1]] = words[0]  # type: ignore[assignment]
        else:
            raise UserError(
                f"line {number} of {path} is not understood: {printable(line[:80])!r}.",
                "It takes: pass, fail or skip and a trial; skip-node NAME; session DIR; # and a comment.",
            )
    if session is None:
        raise UserError(f"{path} does not say of which session it is.", "It needs a line `session DIR`.")
    return Log(session, verdicts, tuple(nodes))


def _words(line: str, path: Path, number: int) -> list[str]:
    head, _, rest = line.strip().partition(" ")
    try:
        if head in ("skip-node", "session") and rest.startswith('"'):
            name, end = json.JSONDecoder().raw_decode(rest)
            return [head, str(name), *shlex.split(rest[end:], comments=True)]
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise UserError(f"line {number} of {path} is not understood: {error}.", "Mend its quotes.") from error
