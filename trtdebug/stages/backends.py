"""Backends by name, with a word on where to get one that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from trtdebug.backends.base import Backend
from trtdebug.core.errors import UserError
from trtdebug.plugins.absent import why_absent
from trtdebug.plugins.manager import PluginManager

_IN_EXTENSIONS = {"tensorrt-rtx": "trtdebug-rtx"}
"""First-party backends that are packages of their own."""


def find_backend(name: str, plugins: PluginManager, role: str) -> Backend:
    """The backend of this name. Raises `UserError` where there is none, with what may have been meant."""
    backends = plugins.backends()
    if name in backends:
        return backends[name]
    package = _IN_EXTENSIONS.get(name)
    if package is not None and not any(info.distribution == package for info in plugins.plugins()):
        raise UserError(
            f"there is no backend {name!r} for --{role}: the extension {package} has it.",
            f"`trtdebug ext install {package}`",
        )
    absent = why_absent(plugins, "backends", package or "")
    raise UserError(f"there is no backend {name!r} for --{role}.{absent}", _meant(name, backends))


def need_backends(plugins: PluginManager, **by_role: str) -> None:
    """Raises `UserError` where one of a session's is not there, since the extension that had it is gone, say."""
    backends = plugins.backends()
    for role, name in by_role.items():
        if name not in backends:
            package = _IN_EXTENSIONS.get(name, "")
            absent, which = why_absent(plugins, "backends", package), package or "the extension that has it"
            raise UserError(
                f"the {role} of this session, the backend {name!r}, is not there.{absent}",
                f"Install or enable {which} again: `trtdebug ext list` shows what loads, and what fails.",
            )


def _meant(name: str, backends: Collection[str]) -> str:
    near = difflib.get_close_matches(name, backends, n=1)
    return f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(backends))}."
