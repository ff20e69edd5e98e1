"""Defaults of options from the config file: checked, and taken where the command line says nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trtdebug.cli.config import OF_PLUGINS, Setting, load_config
from trtdebug.core.errors import UserError
from trtdebug.core.words import did_you_mean

_RIVALS = (
    ({"fp16"}, {"bf16"}, {"int8"}),
    ({"mark"}, {"mark_all"}),
    ({"inputs"}, {"input_shapes", "val_range"}),
)
"""Options that exclude each other: one on the command line drops the others from the file."""
_PATHS = ("FILE", "DIR", "FILE|DIR", "LIB")
"""Metavars of paths, which stand in the file as seen from its folder."""


def defaults(options: Sequence[Any], words: Sequence[str], known: Collection[str]) -> Mapping[str, Any]:
    """The defaults of a command's options, as click takes them.

    Args:
        options: the command's options.
        words: what the command line says behind the command.
        known: names of all commands' options.

    Raises:
        UserError: a key that is no option's, or a value of another kind.
    """
    settings = load_config().options
    for key, setting in settings.items():
        if key not in known:
            if key == "tool":  # the header is pyproject.toml's
                raise UserError(
                    f"{setting.path}: there is no option 'tool'.",
                    "Leave the line [tool.trtdebug] out: it is for pyproject.toml.",
                )
            otherwise = "A key is the name of an option, as in fix_builds."
            hint = did_you_mean(key, (*known, *OF_PLUGINS), otherwise)
            raise UserError(f"{setting.path}: there is no option {key!r}.", hint)
    by_key = {key_of(o): o for o in options}
    given = {key for key, o in by_key.items() if any(_says(word, o.opts) for word in words)}
    taken = by_key.keys() & settings.keys() - _rivals_of(given)
    return {by_key[key].name: _value(by_key[key], key, settings[key]) for key in sorted(taken)}


def key_of(option: Any) -> str:
    """The option's name in the file: fix_builds for --fix-builds."""
    longest: str = max(option.opts, key=len)
    return longest.lstrip("-").replace("-", "_")


def source_of(option: Any) -> Path | None:
    """The file that an option's default is from; None where it is from none."""
    setting = load_config().options.get(key_of(option))
    return setting.path if setting else None


def _says(word: str, names: Iterable[str]) -> bool:
    return any(word == name or word.startswith(f"{name}=") for name in names)


def _rivals_of(given: Collection[str]) -> set[str]:
    found = set()
    for camps in _RIVALS:
        for camp in camps:
            if camp & set(given):
                found |= set().union(*(other for other in camps if other is not camp))
    return found


def _value(option: Any, key: str, setting: Setting) -> Any:
    value, where = setting.value, f"{setting.path}: {key}"
    if option.is_flag:
        if not isinstance(value, bool):
            raise UserError(f"{where} is true or false, not {value!r}.", "It is a flag.")
        return value
    values = value if isinstance(value, list) else [value]
    if not option.multiple and isinstance(value, list):
        raise UserError(f"{where} is one value, not a list.", "It is an option that is given once.")
    if any(isinstance(v, bool | list | dict) for v in values):
        raise UserError(f"{where} takes a value, not {value!r}.", f"As in {option.opts[0]} VALUE.")
    is_path = option.metavar in _PATHS
    words = [str(setting.path.parent / v) if is_path else str(v) for v in values]
    return words if option.multiple else words[0]
