"""What pip said, in one line: why it failed, which package index it could not read, what it left broken."""

from __future__ import annotations

import re

from trtdebug.core.errors import UserError

_MOST_VERSIONS = 5
_UNREAD = (
    r"Could not fetch URL (?P<url>\S+): (?!404 )(?P<why>.*) - skipping$",
    r"WARNING: Skipping page (?P<url>\S+) because (?P<why>.*?)\. ",
    r"WARNING: The repository located at (?P<url>\S+) (?P<why>is not a trusted or secure host)",
)


def unread(log: str) -> str:
    """Which index could not be read and why, by pip's log (`--log`); empty where all were.

    pip's errors are the same for an index that is down and for one that has no such package.
    """
    for pattern in _UNREAD:
        if found := re.search(pattern, log, re.MULTILINE):
            # the system's own words, out of what the libraries wrapped around them
            core = re.search(r"\[(?:Errno|SSL)[^')\"]*|too many \d+ error responses", found["why"])
            return f"{found['url']}: {core[0] if core else found['why']}".rstrip(": ")
    return ""


def cannot_read(index: str) -> UserError:
    """The error where `unread` found something."""
    return UserError(
        f"The package index cannot be read: {index}.",
        "Nothing was changed. Check the network, and with `python -m pip config list` where pip looks.",
    )


def failure(stderr: str, log: str, command: str) -> UserError:
    """Why pip failed."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for line in lines:
        missing = re.search(r"satisfies the requirement (.+?) \(from versions: (.*)\)$", line)
        if missing:
            index = unread(log)
            return cannot_read(index) if index else _not_there(missing[1], missing[2], stderr)
    errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:] or ["no message"]
    said = [re.sub("^error: *", "", errors[0], flags=re.IGNORECASE).rstrip(".")]
    said += dict.fromkeys(re.findall(r"^\S+ +(\S+ \S+ depends on .*)$", log, re.MULTILINE))
    hints = [line.partition(":")[2].strip() for line in lines if line.startswith("Hint:")]
    return UserError(f"pip failed: {'; '.join(said)}", " ".join([*hints, f"All that it says: {command}"]))


def conflicts(stderr: str) -> tuple[str, ...]:
    """Which packages no longer have what they need after pip was done, a line each."""
    return tuple(re.findall(r"^\S+ \S+ requires \S+, (?:but|which) .*$", stderr, re.MULTILINE))


def _not_there(wanted: str, versions: str, stderr: str) -> UserError:
    what, _, needs_it = wanted.removesuffix(")").partition(" (from ")
    known = [] if versions == "none" else versions.split(", ")
    ellipsis = "..., " if len(known) > _MOST_VERSIONS else ""
    there = f", only {ellipsis}{', '.join(known[-_MOST_VERSIONS:])}" if known else ""
    found = re.search(r"require a different python version: (.*)$", stderr, re.MULTILINE)
    there += f"; left out, as they are for another Python: {found[1]}" if found else ""
    if needs_it:
        return UserError(
            f"{needs_it} needs {what}, and pip finds none{there}.",
            f"Nothing was changed. Take another version of {needs_it}, or put what it needs where pip looks.",
        )
    if known or found:
        return UserError(f"pip finds no {what}{there}.", "Name another version.")
    prefixed = (
        "" if what.startswith("trtdebug") else f" Extensions are called trtdebug-NAME: trtdebug-{what}?"
    )
    return UserError(
        f"pip finds no {what}: the package index does not have it.", f"Is its name right?{prefixed}"
    )
