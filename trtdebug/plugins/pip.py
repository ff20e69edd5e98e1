"""Installs and removes extensions with the pip of the running environment."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from trtdebug.core.errors import UserError
from trtdebug.plugins.installed import Installed, find, installed_now
from trtdebug.plugins.pip_run import run_install, run_pip
from trtdebug.plugins.selection import normalise
from trtdebug.plugins.upgrading import PIP_INSTALL, Upgrade

_OLDEST_PIP = "22.2"
"""The first one that reports what it installed."""


@dataclass(frozen=True)
class Installation:
    """What an install came to.

    Attributes:
        extensions: name and version of each.
        changed: False where all was there already.
        conflicts: what no longer has what it needs, a line each.
    """

    extensions: tuple[tuple[str, str], ...]
    changed: bool
    conflicts: tuple[str, ...]


@dataclass(frozen=True)
class Install:
    """`pip install`, not run yet.

    Attributes:
        what: requirement, wheel, folder or URL, as pip takes it.
        command: the command line that `run` runs.
    """

    what: str
    command: tuple[str, ...]

    def run(self) -> Installation:
        """Installs, and looks for new entry points in a fresh process.

        Raises:
            UserError: pip failed, or trtdebug does not load what it installed.
        """
        before = installed_now()
        ran = run_install(self.command)
        after = installed_now()
        touched = set(map(normalise, ran.installed or _named(self.what)))
        mine = {name: e for name, e in after.items() if name not in before or normalise(name) in touched}
        if not mine and touched:
            raise _adds_nothing(self.what, ran.requested or _named(self.what))
        for name, extension in mine.items():
            if extension.misfit:
                raise _refused(name, extension)
        versions = tuple((name, extension.version) for name, extension in mine.items())
        return Installation(versions, bool(ran.installed), ran.conflicts)


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
        run_pip(self.command)
        if find(installed_now(), self.distribution):
            raise UserError(
                f"pip ran, but {self.distribution} is still found.",
                "Another copy may be on PYTHONPATH: `pip show -f` and `python -m site` tell.",
            )


def install(what: str, editable: bool = False) -> Install:
    """Prepares an install.

    Raises:
        UserError: there is no pip, or `what` looks like an option.
    """
    _need_pip()
    if not what or what.startswith("-"):
        raise UserError(f"{what!r} names no package.", "Give a name, a wheel, a folder or a URL.")
    options = ("--editable",) if editable else ()
    return Install(what, (*PIP_INSTALL, *options, what))


def upgrade(distributions: tuple[str, ...] = ()) -> Upgrade:
    """Prepares an upgrade of these extensions, or of all.

    Raises:
        UserError: there is no pip, or one of these is no installed extension.
    """
    _need_pip()
    there = installed_now()
    chosen = tuple(dict.fromkeys(_installed(there, name) for name in distributions or there))
    editable = tuple(name for name in chosen if _is_editable(name))
    return Upgrade(tuple(name for name in chosen if name not in editable), editable)


def uninstall(distribution: str) -> Uninstall:
    """Prepares an uninstall.

    Raises:
        UserError: there is no pip, or no such extension is installed.
    """
    _need_pip()
    name = _installed(installed_now(), distribution)
    return Uninstall(name, (sys.executable, "-m", "pip", "uninstall", "--yes", name))


def _installed(there: dict[str, Installed], distribution: str) -> str:
    """The name as it is installed. Raises `UserError` where it is no extension."""
    name = find(there, distribution)
    if name is None:
        names = ", ".join(there) or "there is none"
        raise UserError(f"{distribution!r} is no installed extension.", f"Installed extensions: {names}.")
    return name


def _named(what: str) -> tuple[str, ...]:
    """The package that a requirement names; none where it is a path or a URL."""
    try:
        return (Requirement(what).name,)
    except InvalidRequirement:
        return ()


def _adds_nothing(what: str, packages: tuple[str, ...]) -> UserError:
    away = f" To remove it: python -m pip uninstall {packages[0]}" if packages else ""
    return UserError(
        f"{what} is installed, but no entry point of group 'trtdebug' appeared: it adds nothing.",
        f"Is it an extension? `trtdebug ext new` shows what its pyproject.toml needs.{away}",
    )


def _refused(name: str, extension: Installed) -> UserError:
    return UserError(
        f"{name} {extension.version} is installed, and not loaded: {extension.misfit}.",
        f"Or take another version: trtdebug ext install '{name}<{extension.version}'",
    )


def _is_editable(distribution: str) -> bool:
    """By PEP 610."""
    text = importlib.metadata.distribution(distribution).read_text("direct_url.json") or "{}"
    return bool(json.loads(text).get("dir_info", {}).get("editable"))


def _need_pip() -> None:
    if importlib.util.find_spec("pip") is None:
        raise UserError(
            f"This environment has no pip ({sys.executable}).",
            "Run `python -m ensurepip`, or install the extension with the tool that made the environment.",
        )
    version = importlib.metadata.version("pip")
    if Version(version) < Version(_OLDEST_PIP):
        raise UserError(
            f"pip {version} is too old: {_OLDEST_PIP} or newer is needed.",
            "Run `python -m pip install --upgrade pip`.",
        )
