"""Axes: global switches of the builder, only where they could matter; together where none cures alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trtdebug.backends.base import HasKnobs
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import Intervention, Knob
from trtdebug.core.outcome import Outcome
from trtdebug.graph.walk import all_nodes
from trtdebug.search.smallest import smallest
from trtdebug.stages.context import Context
from trtdebug.stages.repeated import Repeated, Tried, enough

_MOST_COMBINATIONS = 24
"""Sets of switches to try, to find the fewest of those that cure together."""


@dataclass(frozen=True)
class Axes:
    """What the switches do to the case.

    Attributes:
        cure: the fewest that cure it together, in every build; empty where none do.
        tried: all that was tried, in order.
        findings: switches that cured one build, and not the next.
    """

    cure: tuple[Knob, ...] = ()
    tried: tuple[Tried, ...] = ()
    findings: tuple[Finding, ...] = ()


def axes(ctx: Context, natural: Sequence[Outcome], builds: int) -> Axes:
    """Tries each switch by itself, those that cost the least first, up to one that cures; else all together.

    Several workers build with as many switches at once, each alone; with dearer ones than the cure in vain.

    Args:
        natural: builds as the user makes them. Where none of them failed there is nothing to cure.
        builds: that have to pass before switches count as a cure; more where not all natural ones failed.
    """
    if all(o.status != "fail" for o in natural):
        return Axes()
    test = Repeated(ctx, "axes", enough(natural, builds), told)
    cure = _cure(test, offered_knobs(ctx))
    tried = tuple(test.done.values())
    return Axes(cure, tried, tuple(_by_chance(t) for t in tried if t.by_chance))


def told(switches: Sequence[Intervention]) -> str:
    """Switches in words: "tf32=off, workspace=1024"."""
    return ", ".join(f"{k.name}={k.value}" for k in switches if isinstance(k, Knob))


def offered_knobs(ctx: Context) -> tuple[Knob, ...]:
    """Switches that this candidate has, and that could matter to this model."""
    candidate = ctx.candidate
    if not isinstance(candidate, HasKnobs) or ctx.candidate_is_engine:
        return ()
    return candidate.knobs(ctx.case.options, {n.op_type for n in all_nodes(ctx.model.graph.node)})


def _cure(test: Repeated, offered: tuple[Knob, ...]) -> tuple[Knob, ...]:
    workers = test.ctx.session.workers
    for number, knob in enumerate(offered):
        if number % workers == 0:
            test.prepare([(k,) for k in offered[number : number + workers]])
        if test((knob,)) == "pass":
            return (knob,)
    # one that can't be tested alone would make all of them untestable
    left = tuple(k for k in offered if test((k,)) == "fail")
    if len(left) < 2 or test(left) != "pass":
        return ()
    found = smallest(
        len(left),
        lambda items: test(tuple(k for i, k in enumerate(left) if i in items)),
        max_trials=_MOST_COMBINATIONS,
    )
    return tuple(k for i, k in enumerate(left) if i in found.items)


def _by_chance(tried: Tried) -> Finding:
    return Finding(
        "cured-by-chance",
        "info",
        f"with {told(tried.interventions)} {tried.by_chance} of {tried.by_chance + 1} builds passed: no cure, "
        "the builds differ",
    )
