"""Axes: cheap global switches, one build each, only where they could matter."""

from __future__ import annotations

from dataclasses import dataclass

from trtdebug.core.intervention import Intervention, Knob
from trtdebug.core.outcome import Outcome
from trtdebug.stages.context import Context, Progress


@dataclass(frozen=True)
class Axis:
    """One switch, and what the case does with it."""

    knob: Knob
    outcome: Outcome


def axes(ctx: Context, interventions: tuple[Intervention, ...] = ()) -> tuple[Axis, ...]:
    """Tries each switch by itself beside `interventions`; stops at the first that cures the case."""
    tried: list[Axis] = []
    for knob in _knobs(ctx):
        ctx.report_progress(Progress("axes", f"{knob.name}={knob.value}"))
        job = ctx.candidate_job(f"axis {knob.name}={knob.value}", (*interventions, knob))
        tried.append(Axis(knob, ctx.session.run(job)))
        if tried[-1].outcome.status == "pass":
            break
    return tuple(tried)


def cure(tried: tuple[Axis, ...]) -> Axis | None:
    """The switch that makes the case pass."""
    return next((a for a in tried if a.outcome.status == "pass"), None)


def _knobs(ctx: Context) -> list[Knob]:
    if "Knob" not in ctx.candidate.realises:
        return []
    knobs = []
    if ctx.case.options.tf32:
        knobs.append(Knob("tf32", "off"))
    if ctx.case.options.optimization_level != 0:
        knobs.append(Knob("optimization_level", "0"))
    return knobs
