"""The main job: from an open case to its diagnosis. Above the stages and the repro, below the CLI."""

from trtdebug.debugger.pipeline import Debugger
from trtdebug.debugger.types import Until

__all__ = ["Debugger", "Until"]
