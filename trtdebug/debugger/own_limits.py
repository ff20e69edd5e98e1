"""Limits of a candidate that only stands for a builder: they are told as such, and never as faults of the model."""

from __future__ import annotations

from dataclasses import replace

from trtdebug.backends.base import stands_in
from trtdebug.core.words import listed
from trtdebug.debugger.notes import Notes
from trtdebug.debugger.types import Answer
from trtdebug.stages.verdicts.sanity import Sanity

_NAMED = 5
"""So many nodes are named in a line."""


def beyond_candidate(notes: Notes, sane: Sanity) -> Answer | None:
    """The answer where such a candidate can't take the model at all; None where it can, or where it is a builder."""
    natural, signature = sane.natural, sane.signature
    refused = signature is not None and signature.kind == "build-failure"
    if not refused or not stands_in(notes.ctx.candidate) or any(o.status != "untestable" for o in natural):
        return None
    reason = f"the {notes.ctx.case.candidate} cannot test this model: {sane.reason}"
    return Answer(replace(sane, signature=None, reason=reason))


def say_what_was_not_imitated(notes: Notes, sane: Sanity) -> None:
    """Nodes whose low precision such a candidate left out: that they agree means nothing."""
    if not stands_in(notes.ctx.candidate):
        return
    builds = (*sane.natural, *([sane.forced] if sane.forced is not None else []))
    engines = [o.engine for o in builds if o.engine is not None]
    nodes = list(dict.fromkeys(name for engine in engines for name in engine.unverified))
    if nodes:
        notes.unknown.append(
            f"what low precision does in {len(nodes)} node(s) is not known, since the {notes.ctx.case.candidate} "
            f"could not imitate it there: {listed(nodes, _NAMED)}"
        )
