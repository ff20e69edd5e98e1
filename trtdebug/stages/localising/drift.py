"""Drift: nodes of which each only rounds break the tolerance, each alone or since their errors add up.

N roundings in a row make a relative error of up to N u / (1 - N u), u the unit roundoff (Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed., Lemma 3.1): of one that makes few, no kernel of the precision does better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from trtdebug.core.diagnosis import Culprit
from trtdebug.core.finding import Finding
from trtdebug.core.outcome import Outcome
from trtdebug.oracle.conditioning import ROUNDOFF
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.observing.conditioning import ends_range
from trtdebug.stages.observing.digits import digits_explain, digits_lost, only_round, own_error
from trtdebug.stages.observing.digits_each import digits_lost_each
from trtdebug.stages.observing.observe import Observation
from trtdebug.stages.verdicts.rounding import finite_errors

Failure = Callable[[tuple[str, ...]], Outcome]
"""What was seen, or is seen now, with exactly these nodes in low precision."""
_FEW_ROUNDINGS = 2.0
"""One of what a node is fed, and one of what it gives."""


@dataclass(frozen=True)
class Drift:
    """Tells drift from faults.

    Attributes:
        aside: nodes that are excused for another reason.
    """

    ctx: Context
    seen: Observation
    failure: Failure
    aside: frozenset[str] = frozenset()

    def among(self, culprits: Sequence[Culprit]) -> list[Culprit]:
        """Those of which each node only rounds, and whose failure is finite and explained by the digits they lose.

        At the end of the precision's range it is not only digits that are lost. Of nodes that were not told apart no
        failure was seen: they are among them where lost digits explain what remains with all that is named in FP32.
        """
        rounding = [c for c in culprits if self._rounding(c.nodes)]
        if rounding:
            message = f"{len(rounding)} sets of nodes that only round"
            self.ctx.report_progress(
                Progress("localise", message, len(_nodes(rounding)), len(self.ctx.items))
            )
        proven = [c for c in rounding if c.proven]
        lost = self._lost(proven)
        found = [c for c in proven if self.explained(c.nodes, lost.get(c.nodes))]
        named = [c for c in culprits if c.proven and c not in found]
        undecided = [c for c in rounding if not c.proven]
        return found + [c for c in undecided if self.explained(self._rest(named))]

    def line(self, drifting: Sequence[Culprit], named: Sequence[Culprit]) -> str:
        """One line for what is not known."""
        start = "besides the cause" if named else "no node is at fault by itself"
        nodes = len(_nodes(drifting))
        round_ = "1 node rounds" if nodes == 1 else f"{nodes} nodes round"
        return f"{start}: {round_} as {self._low} does, and that breaks the tolerance (see the findings)"

    def finding(self, drifting: Sequence[Culprit], named: Sequence[Culprit]) -> Finding:
        """`only-rounding`: what each node does, what they do together, and what lost digits alone do."""
        low = self.ctx.low
        assert low is not None
        nodes, rest = _nodes(drifting), self._rest(named)
        round_ = "1 node only rounds" if len(nodes) == 1 else f"{len(nodes)} nodes only round"
        own = max(own_error(self.ctx, n, self.seen) or 0.0 for n in nodes)
        alone = max(finite_errors(digits_lost(self.ctx, rest, low)).values(), default=None)
        made = (
            f"; lost digits alone, computed by the reference, make {alone:.2g}" if alone is not None else ""
        )
        return Finding(
            "only-rounding",
            "warning",
            f"{round_}, each by at most {own:.2g} (relative RMS; one rounding of {self._low} is up to "
            f"{ROUNDOFF[low]:.2g}), and that breaks the tolerance. "
            f"{self._pinned(named)} {_told(self.failure(rest))}{made}.",
            mitigation=f"{_better(own / ROUNDOFF[low])}: give a tolerance that allows for it (--rms, --rtol, --atol), "
            "or keep more nodes in FP32.",
        )

    def _rounding(self, nodes: tuple[str, ...]) -> bool:
        return only_round(self.ctx, nodes, self.seen) and not any(ends_range(self.ctx, n) for n in nodes)

    def _lost(self, culprits: Sequence[Culprit]) -> dict[tuple[str, ...], Outcome]:
        """By the nodes of a culprit, what lost digits make: of single nodes, as far as it can be had at once."""
        single = [n for c in culprits for n in c.nodes if len(c.nodes) == 1]
        assert self.ctx.low is not None
        return {(node,): lost for node, lost in digits_lost_each(self.ctx, single, self.ctx.low).items()}

    def explained(self, nodes: tuple[str, ...], lost: Outcome | None = None) -> bool:
        """Whether their failure is finite, and no more than the digits that they lose make.

        Args:
            lost: what `digits_lost` says of them, where that is known already.
        """
        failure = self.failure(nodes)
        finite = failure.signature is not None and failure.signature.kind == "mismatch"
        return finite and digits_explain(self.ctx, nodes, self.seen, failure, lost)

    def _rest(self, named: Iterable[Culprit]) -> tuple[str, ...]:
        pinned = self.aside | _nodes(named)
        return tuple(n for n in self.ctx.items if n not in pinned)

    def _pinned(self, named: Sequence[Culprit]) -> str:
        if self.aside:
            return (
                f"With {'the cause, ' if named else ''}what is ill-conditioned, and what feeds that, in FP32"
            )
        return "With the cause in FP32" if named else f"With all nodes in {self._low}"

    @property
    def _low(self) -> str:
        return (self.ctx.low or "").upper()


def _nodes(culprits: Iterable[Culprit]) -> frozenset[str]:
    return frozenset(n for c in culprits for n in c.nodes)


def _better(roundings: float) -> str:
    """Whether another kernel could do better than one that is off by so many roundings, the worst of its nodes."""
    if roundings <= _FEW_ROUNDINGS:
        return "No kernel of this precision does better"
    return (
        f"{roundings:.0f} roundings in one node may be those of a long sum, or of a kernel that could do better "
        "(`trtdebug compare` has the error of each node by itself)"
    )


def _told(outcome: Outcome) -> str:
    if outcome.status == "pass":
        return "the case passes: there the errors cancel"
    if outcome.status == "untestable":
        return f"the case could not be tested ({outcome.reason})"
    wrong = [e for e in outcome.tensors if e.kind == "mismatch"]
    errors = (f"{e.tensor} is off by {e.rms_rel:.2g}, where the rule is {e.rule}" for e in wrong)
    return ", ".join(errors) or f"the case fails ({outcome.reason})"
