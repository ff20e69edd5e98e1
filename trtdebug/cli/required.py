"""`required_plugins` of the config file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement

from trtdebug.cli.config import DISABLED, Config
from trtdebug.core.errors import UserError
from trtdebug.plugins.discovery import installed_extensions
from trtdebug.plugins.selection import normalise


def check_required(config: Config) -> None:
    """Raises `UserError` for the first requirement that is not met."""
    for setting in config.required:
        try:
            wanted = Requirement(setting.value)
        except InvalidRequirement:
            raise UserError(
                f"{setting.path}: {setting.value!r} is no requirement.",
                'For example "trtdebug-layernorm>=0.1".',
            ) from None
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        if off := _disabled(wanted.name, config.disabled):
            raise UserError(
                f"{setting.path} requires {wanted.name}; {off} is among {DISABLED}.",
                f"`trtdebug ext enable {off}`",
            )
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            raise UserError(
                f"{setting.path} requires {setting.value}, which is not installed.",
                f'`trtdebug ext install "{setting.value}"`',
            ) from None
        if not wanted.specifier.contains(version, prereleases=True):
            raise UserError(
                f"{setting.path} requires {setting.value}, and {version} is installed.",
                f'`trtdebug ext install "{setting.value}"`',
            )


def _disabled(distribution: str, disabled: Iterable[str]) -> str:
    """The one of `disabled` that is this distribution or a plugin of it; empty where none is."""
    names = {normalise(distribution)}
    names |= {normalise(e.name) for e in installed_extensions() if normalise(e.distribution) in names}
    return next((name for name in disabled if normalise(name) in names), "")
