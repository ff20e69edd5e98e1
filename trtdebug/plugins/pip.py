"""Installs and removes extensions with the pip of the running environment."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from trtdebug.core.errors import UserError
from trtdebug.plugins.discovery import COMMANDS, GROUP
from trtdebug.plugins.selection import normalise

# For a fresh process: this one may remember what was there before.
_LIST = f"""
import importlib.metadata as metadata, json
found = {{e.dist.name for g in ({GROUP!r}, {COMMANDS!r}) for e in metadata.entry_points(group=g) if e.dist}}
print(json.dumps(sorted(found)))
"""


@dataclass(frozen=True)
class Install:
    """`pip install`, not run yet.

    Attributes:
        what: requirement, wheel, folder or URL, as pip takes it.
        command: the command line that `run` runs.
    """

    what: str
    command: tuple[str, ...]

    def run(self) -> tuple[str, ...]:
        """Installs, and looks for new entry points in a fresh process.

        Returns: the distributions with entry points for trtdebug among those that pip installed.

        Raises:
            UserError: pip failed, or nothing that it installed extends trtdebug.
        """
        before = extension_distributions()
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            _pip((*self.command, "--report", str(report)))
            items = json.loads(report.read_text(encoding="utf-8"))["install"]
        installed = {normalise(item["metadata"]["name"]) for item in items}
        after = extension_distributions()
        mine = tuple(name for name in after if name not in before or normalise(name) in installed)
        if not mine and installed:
            raise UserError(
                f"{self.what} is installed, but no entry point of group {GROUP!r} appeared: it adds nothing.",
                "Is it an extension? `trtdebug ext new` shows what its pyproject.toml needs.",
            )
        return mine


@dataclass(frozen=True)
class Uninstall:
    """`pip uninstall`, not run yet."""

    distribution: str
    command: tuple[str, ...]

    def run(self) -> None:
        """Uninstalls, and checks in a fresh process that it is gone.

        Raises:
            UserError: pip failed, or the extension is still there.
        """
        _pip(self.command)
        if normalise(self.distribution) in map(normalise, extension_distributions()):
            raise UserError(
                f"pip ran, but {self.distribution} is still found.",
                "Another copy may be on PYTHONPATH: `pip show -f` and `python -m site` tell.",
            )


@dataclass(frozen=True)
class Upgrade:
    """`pip install --upgrade`, not run yet.

    Attributes:
        distributions: to be upgraded; empty: there is nothing to do.
        editable: those that are used in place, and stay as they are.
    """

    distributions: tuple[str, ...]
    editable: tuple[str, ...]
    command: tuple[str, ...]

    def run(self) -> tuple[tuple[str, str, str], ...]:
        """Upgrades. Returns name, version before and version after. Raises `UserError` where pip failed."""
        before = _versions(self.distributions)
        _pip(self.command)
        after = _versions(self.distributions)
        return tuple((name, before[name], after[name]) for name in self.distributions)


def upgrade(distributions: tuple[str, ...] = ()) -> Upgrade:
    """Prepares an upgrade of these extensions, or of all.

    Raises:
        UserError: there is no pip, or one of these is no installed extension.
    """
    _need_pip()
    chosen = tuple(_installed(name) for name in distributions) or extension_distributions()
    editable = tuple(name for name in chosen if _is_editable(name))
    left = tuple(name for name in chosen if name not in editable)
    return Upgrade(left, editable, (sys.executable, "-m", "pip", "install", "--upgrade", *left))


def install(what: str, editable: bool = False) -> Install:
    """Prepares an install.

    Raises:
        UserError: there is no pip, or `what` looks like an option.
    """
    _need_pip()
    if not what or what.startswith("-"):
        raise UserError(f"{what!r} names no package.", "Give a name, a wheel, a folder or a URL.")
    options = ("--editable",) if editable else ()
    return Install(what, (sys.executable, "-m", "pip", "install", *options, what))


def uninstall(distribution: str) -> Uninstall:
    """Prepares an uninstall.

    Raises:
        UserError: there is no pip, or no such extension is installed.
    """
    _need_pip()
    name = _installed(distribution)
    return Uninstall(name, (sys.executable, "-m", "pip", "uninstall", "--yes", name))


def _installed(distribution: str) -> str:
    """The name as it is installed. Raises `UserError` where it is no extension."""
    there = {normalise(name): name for name in extension_distributions()}
    if normalise(distribution) not in there:
        names = ", ".join(there.values()) or "there is none"
        raise UserError(f"{distribution!r} is no installed extension.", f"Installed extensions: {names}.")
    return there[normalise(distribution)]


def _is_editable(distribution: str) -> bool:
    """By PEP 610."""
    text = importlib.metadata.distribution(distribution).read_text("direct_url.json") or "{}"
    return bool(json.loads(text).get("dir_info", {}).get("editable"))


def _versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """Seen by a fresh process."""
    code = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    found = subprocess.run(
        [sys.executable, "-c", code, *distributions], capture_output=True, text=True, check=True
    )
    versions: dict[str, str] = json.loads(found.stdout)
    return versions


def extension_distributions() -> tuple[str, ...]:
    """Distributions with entry points for trtdebug, seen by a fresh process."""
    found = subprocess.run([sys.executable, "-c", _LIST], capture_output=True, text=True, check=True)
    return tuple(json.loads(found.stdout))


def _need_pip() -> None:
    if importlib.util.find_spec("pip") is None:
        raise UserError(
            f"This environment has no pip ({sys.executable}).",
            "Run `python -m ensurepip`, or install the extension with the tool that made the environment.",
        )


def _pip(command: tuple[str, ...]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")] or lines or ["no message"]
        said = errors[-1].removeprefix("ERROR:").removeprefix("error:").strip()
        raise UserError(f"pip failed: {said}", f"The command was: {' '.join(command)}")
