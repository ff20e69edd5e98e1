"""The question of every search over precisions, as a trial: does the case fail when exactly these nodes are low?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from trtdebug.core.outcome import Outcome, Signature
from trtdebug.oracle.verdict import evidence_on
from trtdebug.plugins.types import Localisation
from trtdebug.search.types import Verdict
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.localising.atoms import Atoms
from trtdebug.stages.low_trials import low_outcomes

_MOST_UNTESTABLE = 24
"""Trials in a row that cannot be tested; TensorRT may build hardly any mixture of precisions of a transformer."""


class PrecisionTest:
    """As localisers ask it, of sets of atoms, and of sets of nodes.

    What is known already costs no trial: a set that holds a node which was shown to fail alone fails, too, and
    a set within one that was shown to pass passes.
    """

    def __init__(
        self,
        ctx: Context,
        signature: Signature,
        fast: bool,
        convicted: frozenset[str],
        passing: frozenset[str],
        atoms: Atoms,
    ) -> None:
        self.ctx, self.signature, self.fast = ctx, signature, fast
        self.convicted, self.passing, self.atoms = convicted, passing, atoms
        self.healthy: set[str] = set(passing)
        self.untestable = 0
        self._told: list[tuple[frozenset[str], Verdict]] = [(frozenset(ctx.items), "fail")]

    @property
    def told(self) -> list[tuple[frozenset[str], Verdict]]:
        """What was told of sets of nodes, as far as it says something of sets of atoms."""
        atoms, told = self.atoms, []
        for low, verdict in self._told:
            within, touching = atoms.within(low), atoms.touching(low)
            if verdict != "untestable" or within == touching:
                told.append((touching if verdict == "fail" else within, verdict))
        return told

    @property
    def workers(self) -> int:
        return self.ctx.session.workers

    def __call__(self, low: frozenset[str], again: int = 0) -> Verdict:
        return self.many([low], [again])[0]

    def many(self, lows: Sequence[frozenset[str]], again: Sequence[int] | None = None) -> list[Verdict]:
        return self.ask([self.atoms.nodes(low) for low in lows], again)

    def ask(self, lows: Sequence[frozenset[str]], again: Sequence[int] | None = None) -> list[Verdict]:
        """The verdict on each set of nodes."""
        verdicts: dict[int, Verdict] = {
            n: v for n, low in enumerate(lows) if (v := self._known(low)) is not None
        }
        asked = [n for n in range(len(lows)) if n not in verdicts]
        if asked:
            self._tell_progress()
        if self.gave_up:
            return [verdicts.get(n, "untestable") for n in range(len(lows))]
        before = again or [0] * len(lows)
        outcomes = low_outcomes(self.ctx, [lows[n] for n in asked], self.fast, [before[n] for n in asked])
        for n, outcome in zip(asked, outcomes, strict=True):
            verdicts[n] = self._learn(lows[n], self.verdict(lows[n], outcome))
        return [verdicts[n] for n in range(len(lows))]

    def verdict(self, low: frozenset[str], outcome: Outcome) -> Verdict:
        """What the outcome with exactly these nodes in low precision says."""
        return evidence_on(outcome, self.signature)

    def _known(self, low: frozenset[str]) -> Verdict | None:
        """What takes no trial."""
        if low <= self.passing:
            return "pass"
        return "fail" if low & self.convicted or len(low) == len(self.ctx.items) else None

    def _learn(self, low: frozenset[str], verdict: Verdict) -> Verdict:
        self.untestable = self.untestable + 1 if verdict == "untestable" else 0
        self._told.append((low, verdict))
        if verdict == "pass":
            self.healthy |= low
        return verdict

    @property
    def gave_up(self) -> bool:
        """So many trials in a row could not be tested that no more are made."""
        return self.untestable >= _MOST_UNTESTABLE * self.workers

    def is_smallest(self, nodes: Collection[str], monotone: bool) -> bool:
        """Whether these nodes pass without any one of their atoms; of a single atom, without any one of its nodes.

        Args:
            monotone: no verdicts contradict each other: of what passes each part passes, too. Else it takes a trial
                of just these.
        """
        passed = {low for low, verdict in self._told if verdict == "pass"} | {self.passing}
        failed = {low for low, verdict in self._told if verdict == "fail"}
        touched = [self.atoms.members[name] for name in self.atoms.touching(nodes)]
        parts = touched if len(touched) > 1 else [(node,) for node in nodes]
        smaller = [frozenset(nodes).difference(part) for part in parts]
        if monotone:
            return all(any(low <= p for p in passed) for low in smaller)
        return all(low in passed and low not in failed for low in smaller)

    def contradicts(self, answer: Localisation) -> bool:
        """Builds again what the answer rests on: the culprits together fail, and all but the pins passes.

        An answer that rests on what was shown without a build needs none.
        """
        unsure = frozenset(n for nodes in answer.culprits for n in nodes) - self.convicted
        if not unsure or answer.protect is None:
            return False
        expected: tuple[tuple[frozenset[str], Verdict], ...] = (
            (frozenset(self.ctx.items).difference(answer.protect), "pass"),
            (unsure, "fail"),
        )
        verdicts = self.ask([low for low, _ in expected], [1] * len(expected))
        return any(
            verdict not in (known, "untestable")
            for verdict, (_, known) in zip(verdicts, expected, strict=True)
        )

    def _tell_progress(self) -> None:
        left = len(self.ctx.items) - len(self.healthy | self.convicted)
        message = f"{len(self.convicted)} culprits known" if self.convicted else ""
        trials = 1 if self.convicted else left.bit_length() + 1
        self.ctx.report_progress(Progress("localise", message, left, len(self.ctx.items), trials))
