"""The built-in plugins: modules that implement hooks as third parties' do, by dotted name, imported when needed."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.plugins.manager import PluginManager

BUILTINS = (
    "trtdebug.backends.builtin",
    "trtdebug.checks",
    "trtdebug.fixes",
    "trtdebug.fixes.rewrites",
    "trtdebug.fixes.ladder",
    "trtdebug.session.executors",
    "trtdebug.stages.localising.localizers",
    "trtdebug.stages.inputs",
    "trtdebug.report.formats",
)


def load_plugins(
    disabled: Iterable[str] = (), third_party: bool = True, unwanted: Iterable[str] = ()
) -> PluginManager:
    """The plugin manager with the built-ins and whatever is installed. Raises `UserError`, see `PluginManager.load`."""
    return PluginManager.load(
        builtins=BUILTINS, disabled=disabled, third_party=third_party, unwanted=unwanted
    )
