"""Repeated: whether interventions cure the case in every one of several fresh builds. One build is no evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from trtdebug.core.intervention import Intervention
from trtdebug.core.outcome import Outcome
from trtdebug.search.types import Verdict
from trtdebug.session.job import Job
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.recurrence import Recurrence

FEWEST = 2
"""Builds that have to pass where builds differ: the same command is right in one and wrong in the next."""


def enough(natural: Sequence[Outcome], at_least: int) -> int:
    """How many builds have to pass before something counts as a cure: so many pass by chance in 1 of 20 cases.

    Args:
        natural: builds as the user makes them; how many of them failed says how often one does.
        at_least: what is enough where all of them failed.
    """
    seen = Recurrence.of(natural)
    return max(at_least, seen.builds) if seen.failed else at_least


@dataclass(frozen=True)
class Tried:
    """Builds of the case with these interventions, up to the first that does not pass."""

    interventions: tuple[Intervention, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def verdict(self) -> Verdict:
        """pass: all builds did. One build that fails is enough to fail."""
        return self.outcomes[-1].status

    @property
    def by_chance(self) -> int:
        """How many builds passed before one failed; 0 where none did."""
        return len(self.outcomes) - 1 if self.verdict == "fail" else 0


@dataclass
class Repeated:
    """Tries interventions, each set once.

    Attributes:
        stage: told in progress lines.
        builds: that have to pass; at least two on a builder that chooses by timing.
        describe: interventions in words, for progress lines and purposes.
        done: everything tried, in order.
    """

    ctx: Context
    stage: str
    builds: int
    describe: Callable[[tuple[Intervention, ...]], str]
    done: dict[tuple[Intervention, ...], Tried] = field(default_factory=dict)

    def __call__(self, interventions: tuple[Intervention, ...]) -> Verdict:
        if interventions not in self.done:
            self.done[interventions] = Tried(interventions, self._build(interventions))
        return self.done[interventions].verdict

    def prepare(self, sets: Sequence[tuple[Intervention, ...]]) -> None:
        """Makes the first build of what is tried next, at once; the others are worth it only where that one passes.

        No more than there are workers, and none with one worker; all but the first may be in vain.
        """
        self._tell_progress(sets[0])
        self.ctx.session.run_ahead([self._jobs(s)[0] for s in sets])

    def _build(self, interventions: tuple[Intervention, ...]) -> tuple[Outcome, ...]:
        self._tell_progress(interventions)
        return self.ctx.session.run_until(self._jobs(interventions), lambda outcome: outcome.status != "pass")

    def _tell_progress(self, interventions: tuple[Intervention, ...]) -> None:
        self.ctx.report_progress(Progress(self.stage, self.describe(interventions)))

    def _jobs(self, interventions: tuple[Intervention, ...]) -> list[Job]:
        words, built = self.describe(interventions), self.ctx.as_built(interventions)
        wanted = 1 if self.ctx.candidate.deterministic else max(FEWEST, self.builds)
        return [self.ctx.candidate_job(words, built, repeat=number) for number in range(wanted)]
