"""The config file: `trtdebug.toml`, or `[tool.trtdebug]` in pyproject.toml, of the project and of the user."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtdebug.core.errors import UserError

FILE = "trtdebug.toml"
PYPROJECT = "pyproject.toml"
VARIABLE = "TRTDEBUG_CONFIG"
"""A file that takes the place of all others; empty: none is read."""
REQUIRED, DISABLED = "required_plugins", "disabled_plugins"
OF_PLUGINS = (REQUIRED, DISABLED)


@dataclass(frozen=True)
class Setting:
    """A value and the file that it is from."""

    value: Any
    path: Path


@dataclass(frozen=True)
class Config:
    """What the files say together.

    Attributes:
        options: defaults of options by name, as in fix_builds; the project's before the user's.
        required: requirements, such as trtdebug-layernorm>=0.1.
        disabled: plugins or distributions that are not loaded.
    """

    options: Mapping[str, Setting] = field(default_factory=dict)
    required: tuple[Setting, ...] = ()
    disabled: tuple[str, ...] = ()


_ignored = False


def ignore(wanted: bool) -> None:
    """Takes `--no-config`."""
    global _ignored
    _ignored = wanted


def ignored() -> bool:
    """Whether `--no-config` was given."""
    return _ignored


def load_config() -> Config:
    """What the files say that count here. Raises `UserError` for one that cannot be read."""
    options: dict[str, Setting] = {}
    required: list[Setting] = []
    disabled: list[str] = []
    for path in config_files():
        for key, value in read_table(path).items():
            name = key.replace("-", "_")
            if name not in OF_PLUGINS:
                options.setdefault(name, Setting(value, path))
            elif not isinstance(value, list) or not all(isinstance(v, str) for v in value):
                raise UserError(
                    f"{path}: {key} is a list of names, not {value!r}.", f'{key} = ["trtdebug-x"]'
                )
            elif name == REQUIRED:
                required += [Setting(v, path) for v in value]
            else:
                disabled += value
    return Config(options, tuple(required), tuple(disabled))


def config_files() -> tuple[Path, ...]:
    """The files that count here, the one that goes first first."""
    if _ignored:
        return ()
    named = os.environ.get(VARIABLE)
    if named is not None:
        if named and not Path(named).is_file():
            raise UserError(f"there is no file {named}.", f"The variable {VARIABLE} names it.")
        return (Path(named),) if named else ()
    return tuple(path for path in (project_file(), user_file()) if path is not None and path.is_file())


def project_file() -> Path | None:
    """The nearest one, from this folder upwards; None where there is none."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return folder / FILE
        if _is_ours(folder / PYPROJECT):
            return folder / PYPROJECT
    return None


def user_file() -> Path:
    """The user's own; it need not exist."""
    import typer

    return Path(typer.get_app_dir("trtdebug")) / FILE


def read_table(path: Path) -> Mapping[str, Any]:
    """The table of a file that is ours. Raises `UserError` where it cannot be read."""
    content = _parsed(path)
    table = content.get("tool", {}).get("trtdebug", {}) if path.name == PYPROJECT else content
    if not isinstance(table, dict):
        raise UserError(f"{path}: trtdebug is no table.", "Write [tool.trtdebug].")
    return table


def _parsed(path: Path) -> dict[str, Any]:
    try:
        import tomllib as toml  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError:  # Python 3.10
        import tomlkit as toml  # type: ignore[no-redef, unused-ignore]
    try:
        found = toml.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # both parsers' errors are ValueErrors
        raise UserError(f"{path} cannot be read: {error}.", "It has to be TOML in UTF-8.") from None
    plain: dict[str, Any] = found.unwrap() if hasattr(found, "unwrap") else found
    return plain


def _is_ours(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return False
    if any(line.startswith("[tool.trtdebug]") for line in _stripped(text)):
        return True
    if "trtdebug" not in text:
        return False
    try:
        tool = _parsed(path).get("tool")  # the same table, spelt otherwise
    except UserError:
        return False
    return isinstance(tool, dict) and "trtdebug" in tool


def _stripped(text: str) -> Iterator[str]:
    return (line.replace(" ", "").strip() for line in text.splitlines() if "trtdebug" in line)
