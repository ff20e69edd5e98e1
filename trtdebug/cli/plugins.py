"""Which plugins this invocation may load: set by the options before the command, used by the command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtdebug.cli.clashes import report_clashes
from trtdebug.cli.config import load_config

if TYPE_CHECKING:
    from trtdebug.plugins.manager import PluginManager


_NEEDED = frozenset(("builtin", "executors", "localizers", "formats"))
"""Built-ins without which no command that builds works: backends, workers, searches, reports."""


@dataclass
class _Chosen:
    disabled: tuple[str, ...] = ()
    third_party: bool = True

    @property
    def all(self) -> bool:
        """Whether the command line leaves none out."""
        return self.third_party and not self.disabled


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


def left_out() -> list[str]:
    """The options that `choose` took, as words of a command line."""
    names = [word for name in _chosen.disabled for word in ("-p", f"no:{name}")]
    return [*([] if _chosen.third_party else ["--no-plugins"]), *names]


def load(required: bool = True) -> PluginManager:
    """The plugin manager for this invocation.

    Args:
        required: what the config file requires has to be there. Where the command line leaves plugins out, it knows
            better.

    Raises:
        UserError: a plugin to leave out is not there, or is one without which nothing runs; one that is required is
            not there.
    """
    from trtdebug.core.errors import UserError
    from trtdebug.plugins.builtin import load_plugins

    config = load_config()
    if required and config.required and _chosen.all:
        from trtdebug.cli.required import check_required

        check_required(config)
    manager = load_plugins(_chosen.disabled, _chosen.third_party, config.disabled)
    report_clashes(manager)
    selection = manager.to_env()
    needed = sorted(_NEEDED & set(selection["TRTDEBUG_DISABLED_PLUGINS"].split(",")))
    if needed:
        raise UserError(
            f"the built-in plugin {needed[0]!r} cannot be left out: nothing runs without it.",
            "Leave out extensions, or the built-in checks, fixes or inputs.",
        )
    return manager
