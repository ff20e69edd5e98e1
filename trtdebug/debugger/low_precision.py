"""The branch of low precision: everything low fails, everything pinned passes; find what has to be pinned."""

from __future__ import annotations

from dataclasses import replace

from trtdebug.core.outcome import Signature
from trtdebug.debugger.by_tactics import ByTactics
from trtdebug.debugger.fixing import fixes_of
from trtdebug.debugger.looking import failing_tensors
from trtdebug.debugger.notes import Notes
from trtdebug.debugger.open_questions import say_that_it_was_not_built, say_that_there_is_more
from trtdebug.debugger.types import Answer
from trtdebug.stages.localising.atoms import fused_layers
from trtdebug.stages.localising.localise import Located, localise
from trtdebug.stages.observing.digits import own_error
from trtdebug.stages.observing.observe import Observation, observe
from trtdebug.stages.observing.shortcut import Shortcut, foresee, shortcut
from trtdebug.stages.verdicts.forced_again import forced_again
from trtdebug.stages.verdicts.sanity import Sanity, can_force, forced_job


def short_way(notes: Notes) -> Shortcut | None:
    """What the emulator foresees, where a build of the candidate confirms that it is all."""
    if not can_force(notes.ctx) or notes.ctx.candidate.deterministic:
        return None
    foreseen = notes.attempt("foresee", lambda: foresee(notes.ctx))
    return notes.attempt("observe", lambda: shortcut(notes.ctx, foreseen)) if foreseen else None


def confirmed(notes: Notes, sane: Sanity, short: Shortcut, by_tactics: ByTactics) -> Answer:
    """Each convicted node fails by itself, and with all of them pinned the candidate passes."""
    if not sane.natural:
        say_that_it_was_not_built(notes)
        sane = replace(sane, verdict="fragile", signature=short.signature, reason=short.reason)
    if not sane.always:
        with notes.stage("sanity"):
            forced_again(notes.ctx, forced_job(notes.ctx, fast=True))
    signature = sane.signature or short.signature
    return _located(notes, sane, signature, by_tactics, short.observation, True, short.healthy)


def searched(notes: Notes, sane: Sanity, by_tactics: ByTactics) -> Answer:
    """By the short way, where it was not tried before, else by the long one."""
    assert sane.forced is not None
    assert sane.forced.signature is not None
    short = None if sane.presumed else short_way(notes)
    observation = (
        short.observation if short is not None else notes.attempt("observe", lambda: observe(notes.ctx))
    )
    healthy = short.healthy if short is not None else frozenset()
    return _located(
        notes, sane, sane.forced.signature, by_tactics, observation or Observation({}, {}), sane.fast, healthy
    )


def _unobserved(nodes: int) -> str:
    if nodes == 1:
        return "1 node could not be observed by itself"
    return f"{nodes} nodes could not be observed by themselves"


def _located(
    notes: Notes,
    sane: Sanity,
    signature: Signature,
    by_tactics: ByTactics,
    observation: Observation,
    fast: bool,
    healthy: frozenset[str],
) -> Answer:
    ctx = notes.ctx
    if unobserved := [n for n in observation.unobserved if own_error(ctx, n, observation) is None]:
        notes.unknown.append(_unobserved(len(unobserved)))
    if not ctx.recurrence.always:  # one build showed it
        healthy = frozenset()
    layers = fused_layers(sane.forced.engine) if sane.forced is not None else ()
    located = notes.attempt("localise", lambda: localise(ctx, signature, observation, fast, healthy, layers))
    located = located or Located((), None)
    if not any(c.proven for c in located.culprits):
        answer = by_tactics.answer(sane)
        if answer is not None:
            return answer
    exposing = ctx.exposing(ctx.items)
    propagated = failing_tensors(notes, exposing, sane.natural) if ctx.candidate.deterministic else None
    notes.unknown += located.unknown
    notes.findings += located.findings
    fixes = fixes_of(notes, sane, signature, located)
    say_that_there_is_more(notes, located.culprits, fixes)
    return Answer(sane, located, fixes, observation, propagated)
