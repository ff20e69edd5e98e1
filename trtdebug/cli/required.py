"""`required_plugins` of the config file."""

from __future__ import annotations

import importlib.metadata

from packaging.requirements import InvalidRequirement, Requirement

from trtdebug.cli.config import DISABLED, Config
from trtdebug.core.errors import UserError
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
        if normalise(wanted.name) in map(normalise, config.disabled):
            raise UserError(
                f"{setting.path} requires {wanted.name}, which is among {DISABLED}.",
                f"`trtdebug ext enable {wanted.name}`",
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
