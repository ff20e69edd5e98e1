"""What speaks for a fix: fresh builds as the user makes them, and, where these pass anyhow, builds by force."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from trtdebug.core.diagnosis import Fix
from trtdebug.core.intervention import ForcePrecision, Intervention, PinPrecision, ReplaceGraph
from trtdebug.core.outcome import Outcome
from trtdebug.plugins.types import FixProposal
from trtdebug.session.job import Job
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.fixing.rewrites import Proof
from trtdebug.stages.repeated import enough
from trtdebug.stages.verdicts.sanity import can_force

_FRESH = 1_000_000
"""From this repeat on no search has seen a build: one by whose luck pins were chosen does not speak for them."""


@dataclass(frozen=True)
class Evidence:
    """Which builds have to pass with a fix, and how many.

    Attributes:
        natural: builds as the user makes them, without a fix.
        at_least: fresh ones with a fix that have to pass.
        pins: that were seen to hold with all else forced into low precision; empty where none were.
        fast: this, or the failure, was seen of builds with the settings for searching.
    """

    ctx: Context
    natural: Sequence[Outcome]
    at_least: int
    pins: frozenset[str]
    fast: bool

    @property
    def idle(self) -> bool:
        """Builds as the user makes them pass without a fix, too, and none fails: those with one say little."""
        seen = {o.status for o in self.natural}
        return "pass" in seen and "fail" not in seen

    def builds(self, proposal: FixProposal) -> int:
        """As the user makes them; more where not all fail without the fix, and nothing else speaks for it."""
        if self.ctx.candidate.deterministic:
            return 1
        forced = self.ctx.recurrence.enough and (self._holds(proposal) or bool(self.by_force(proposal)))
        return self.at_least if forced else enough(self.natural, self.at_least)

    def by_force(self, proposal: FixProposal) -> tuple[Job, ...]:
        """With low precision forced everywhere else: where the user's own say little, and of rewritten models.

        Of pins that were seen to hold so there are none but where the failure does not always show.
        """
        ctx = self.ctx
        if ctx.low is None or not can_force(ctx) or proposal.rounds:
            return ()
        if self._holds(proposal):
            due = not ctx.recurrence.always
        else:
            due = self.idle or (_rewritten(proposal) and not ctx.candidate.deterministic)
        if not due:
            return ()
        pins = pinned(proposal.interventions)
        if {type(i) for i in proposal.interventions} == {PinPrecision}:
            job = ctx.low_job([n for n in ctx.items if n not in pins], self.fast)
        else:
            forced = (*proposal.interventions, ForcePrecision(ctx.low))
            job = ctx.candidate_job("fix, forced", forced, fast=self.fast or not self.idle)
        return tuple(replace(job, repeat=_FRESH + number) for number in range(ctx.recurrence.builds))

    def forced(self, proposal: FixProposal, proof: Proof, ahead: Sequence[Job]) -> Proof:
        """What builds by force say beside what is proven already.

        Args:
            ahead: what is built next where they pass. Workers to spare do so beside them; where they fail, in vain.
        """
        jobs, session, low = self.by_force(proposal), self.ctx.session, (self.ctx.low or "").upper()
        if not jobs:
            return proof
        where = f"forced into {low} everywhere" + ("" if _rewritten(proposal) else " else")
        self.ctx.report_progress(Progress("fix", f"{proposal.summary}: {where}"))
        session.run_ahead([*jobs, *ahead])
        outcomes = session.run_until(jobs, lambda outcome: outcome.status != "pass")
        last = outcomes[-1]
        if last.status == "fail":
            times = f" in 1 of {len(outcomes)} builds" if len(outcomes) > 1 else ""
            return replace(proof, reason=f"{where} it still fails{times}: {last.reason}", built=True)
        if last.status == "untestable":
            said = f"it could not be forced into {low}: {last.reason}"
            if self.idle:
                return replace(proof, reason=said, untestable=True)
            return replace(proof, note="; ".join(filter(None, (proof.note, said))))
        return proof

    def judged(self, proposal: FixProposal, fix: Fix) -> Fix:
        """The same; of one that holds it is said where its builds say little.

        It is not verified where all of them may pass by chance.
        """
        if not (self.idle and fix.verified):
            return fix
        seen = self.ctx.recurrence
        if not seen.enough:
            reason = (
                f"it passes, but may do so by chance: {seen.builds} builds with low precision forced everywhere else "
                f"pass, where without it only {seen.failed} of {seen.tested} fail"
            )
            return replace(fix, verified=False, reason=reason)
        said = ["your own builds pass without it, too"]
        if self._holds(proposal) or self.by_force(proposal):
            times = "a build" if seen.builds == 1 else f"{seen.builds} builds"
            said.append(f"what shows its effect is {times} with low precision forced everywhere else")
        return replace(fix, note="; ".join(filter(None, (*said, fix.note))))

    def _holds(self, proposal: FixProposal) -> bool:
        """Whether it is the pins that were seen to hold by force, or more."""
        only_pins = {type(i) for i in proposal.interventions} == {PinPrecision}
        return only_pins and bool(self.pins) and self.pins <= pinned(proposal.interventions)


def pinned(interventions: Iterable[Intervention]) -> set[str]:
    return {n for i in interventions if isinstance(i, PinPrecision) for n in i.nodes}


def _rewritten(proposal: FixProposal) -> bool:
    return {type(i) for i in proposal.interventions} == {ReplaceGraph} and not proposal.rounds
