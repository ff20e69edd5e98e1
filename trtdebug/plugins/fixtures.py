"""Pytest fixtures for authors of extensions: `pytest_plugins = ["trtdebug.plugins.fixtures"]`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.testing import load_plugin

_ENVIRONMENT = ("TRTDEBUG_LOAD_PLUGINS", "TRTDEBUG_DISABLED_PLUGINS", "TRTDEBUG_NO_PLUGINS")


@pytest.fixture
def trtdebug_plugin(monkeypatch: pytest.MonkeyPatch) -> Callable[..., PluginManager]:
    """`trtdebug_plugin(module)`: a manager with that plugin alone, whatever the environment says.

    Fails the test, with the traceback, where the plugin has a problem.
    """
    for name in _ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return load_plugin
