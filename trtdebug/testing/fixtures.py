"""Pytest fixtures for authors of extensions: `pytest_plugins = ["trtdebug.testing.fixtures"]`."""

from __future__ import annotations

from trtdebug.plugins.fixtures import trtdebug_plugin
from trtdebug.testing.sessions import trtdebug_session

__all__ = ["trtdebug_plugin", "trtdebug_session"]
