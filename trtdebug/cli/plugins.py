"""Which plugins this invocation may load: set by the options before the command, used by the command."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtdebug.plugins.manager import PluginManager


@dataclass
class _Chosen:
    disabled: tuple[str, ...] = ()
    third_party: bool = True


_chosen = _Chosen()


def choose(disabled: list[str], third_party: bool) -> None:
    """Takes `-p no:NAME` and `--no-plugins`."""
    from trtdebug.core.errors import UserError

    names = []
    for word in disabled:
        if not word.startswith("no:"):
            raise UserError(f"-p takes no:NAME, not {word!r}.", "For example -p no:layernorm.")
        names.append(word.removeprefix("no:"))
    _chosen.disabled, _chosen.third_party = tuple(names), third_party


def load() -> PluginManager:
    """The plugin manager for this invocation; worker processes inherit its selection."""
    from trtdebug.plugins.builtin import load_plugins

    manager = load_plugins(_chosen.disabled, _chosen.third_party)
    os.environ.update(manager.to_env())
    return manager
