"""Bans: tactics that the builder must not choose."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.plugins.types import FixContext, FixProposal

_LAYER = 0.5
"""Price of a layer without its fastest tactics, however many: a pin, 1, costs its low precision and its fusions too."""


def ban_tactics(context: FixContext) -> Iterable[FixProposal]:
    """Bans the tactics without which the case was seen to pass."""
    if context.bans:
        layers = dict.fromkeys(b.layer for b in context.bans)
        plural = "tactic" if len(context.bans) == 1 else "tactics"
        told = f"ban {len(context.bans)} {plural} of {', '.join(layers)}"
        yield FixProposal("tactic", told, context.bans, _LAYER * len(layers))
