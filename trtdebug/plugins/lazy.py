"""Fixes whose code is imported when they are asked, not when they are listed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from trtdebug.plugins.types import FixContext, FixProposal, FixProposer


def lazy_fix(module: str, name: str, summary: str) -> FixProposer:
    """A proposer that asks `FIX`, the proposer in `module`."""

    def propose(context: FixContext) -> Iterator[FixProposal]:
        proposer: FixProposer = import_module(module).FIX
        yield from proposer.propose(context)

    return FixProposer(name, summary, propose)
