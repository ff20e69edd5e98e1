"""The extensions of the running environment, as a fresh process sees them: this one may know what was there before."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trtdebug.plugins.selection import normalise

_LOOK = """
import importlib.metadata, json, sys
from trtdebug.plugins.discovery import GROUP, installed_extensions
from trtdebug.plugins.selection import normalise

found = {e.distribution: (e.version, e.misfit) for e in installed_extensions()}
if sys.argv[1:]:
    nothing = f"it adds nothing: it has no entry point of group {GROUP!r}"
    known = {normalise(name): facts for name, facts in found.items()}
    found = {
        name: known.get(normalise(name)) or (importlib.metadata.version(name), nothing) for name in sys.argv[1:]
    }
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Installed:
    """An installed distribution.

    Attributes:
        misfit: why trtdebug does not load it, one line; empty where it does.
    """

    version: str
    misfit: str = ""


def installed_now(names: Iterable[str] = ()) -> dict[str, Installed]:
    """All extensions by distribution; where names are given these distributions, by the names as given."""
    command = [sys.executable, "-c", _LOOK, *names]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: Installed(*facts) for name, facts in sorted(json.loads(found.stdout).items())}


def find(extensions: Mapping[str, Installed], distribution: str) -> str | None:
    """The name under which it is installed; None where it is not among them."""
    return next((name for name in extensions if normalise(name) == normalise(distribution)), None)
