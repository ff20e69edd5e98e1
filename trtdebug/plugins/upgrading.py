"""Upgrades extensions, and leaves none in a version that trtdebug does not load where there is one that it does."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from trtdebug.core.errors import UserError
from trtdebug.plugins.installed import Installed, installed_now
from trtdebug.plugins.pip_run import Ran, run_install
from trtdebug.plugins.pip_said import cannot_read

PIP_INSTALL = (sys.executable, "-m", "pip", "install")


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade of one extension came to.

    Attributes:
        remark: why it is not a newer version, or what is wrong with this one; empty where it is the newest.
        refused: trtdebug does not load `after`.
    """

    name: str
    before: str
    after: str
    remark: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Upgrade:
    """`pip install --upgrade`, not run yet.

    Attributes:
        distributions: to be upgraded; empty: there is nothing to do.
        editable: those that are used in place, and stay as they are.
    """

    distributions: tuple[str, ...]
    editable: tuple[str, ...]

    @property
    def command(self) -> tuple[str, ...]:
        return (*PIP_INSTALL, "--upgrade", *self.distributions)

    def run(self) -> tuple[tuple[Upgraded, ...], tuple[str, ...]]:
        """Upgrades. Returns what came of each, and what no longer has what it needs.

        Raises:
            UserError: pip failed, or no index could tell of newer versions.
        """
        before = installed_now(self.distributions)
        ran = run_install(self.command)
        after = installed_now(self.distributions)
        if ran.unread and all(before[name] == after[name] for name in self.distributions):
            raise cannot_read(ran.unread)
        upgraded = tuple(_settled(name, before[name], after[name], ran) for name in self.distributions)
        as_pip_left_it = all(each.after == after[each.name].version for each in upgraded)
        return upgraded, ran.conflicts if as_pip_left_it else ()


def _settled(name: str, before: Installed, newest: Installed, ran: Ran) -> Upgraded:
    kept, trouble = _fitting(name, before, newest)
    if kept.misfit:
        return Upgraded(name, before.version, kept.version, "; ".join((kept.misfit, *trouble)), refused=True)
    if kept != newest:
        remark = f"{newest.version} is left out, since {newest.misfit}"
        return Upgraded(name, before.version, kept.version, remark)
    remark = "" if newest.version != before.version else _why_unchanged(name, newest, ran)
    return Upgraded(name, before.version, newest.version, remark)


def _fitting(name: str, before: Installed, newest: Installed) -> tuple[Installed, tuple[str, ...]]:
    """Goes back to the newest version that trtdebug loads, at most to the one before.

    Returns: the version that is installed then, and what hindered it from being such a one.
    """
    there = newest
    while there.misfit and there.version != before.version:
        try:
            bounds = f">={Version(before.version).public},<{Version(there.version).public}"
            run_install((*PIP_INSTALL, f"{name}{bounds}"))
        except (InvalidVersion, UserError) as error:
            why = str(getattr(error, "message", error)).rstrip(".")
            return there, (f"{before.version}, which was there before, cannot be had again: {why}",)
        there = installed_now((name,))[name]
    return there, ()


def _why_unchanged(name: str, there: Installed, ran: Ran) -> str:
    """Empty where it is the newest version that there is: to pip an unknown package is up to date, too."""
    unknown = "whether there is a newer one is not known: "
    if ran.unread:
        return f"{unknown}{cannot_read(ran.unread).message}"
    try:
        offered = run_install((*PIP_INSTALL, "--dry-run", "--ignore-installed", "--no-deps", name))
        (version,) = offered.installed.values()
    except UserError as error:
        return f"{unknown}{error.message}"
    if Version(version) <= Version(there.version):
        return ""
    return f"there is {version}, and pip does not take it here; why: pip install {name}=={version}"
