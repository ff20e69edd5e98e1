"""What fails beside those who only round: is it no more than the digits that all of them lose?

Each set that was seen to fail may be a matter of digits, and all together not: two nodes that are wrong only where
both are in low precision, as in a broken fusion, are not seen by a search that takes one of them for a culprit,
since it fails alone, by rounding. So a second search asks which sets fail by more than the digits that they lose.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trtdebug.core.diagnosis import Culprit
from trtdebug.core.outcome import Outcome
from trtdebug.search.types import Verdict
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.localising.ask_localizer import searched
from trtdebug.stages.localising.drift import Failure
from trtdebug.stages.localising.precision_test import PrecisionTest
from trtdebug.stages.observing.digits import digits_explain
from trtdebug.stages.observing.observe import Observation

_MOST_TRIALS = 48
"""Of the second search, for each worker: a fault in one or two places takes a dozen or two."""


@dataclass(frozen=True)
class Beyond:
    """What fails by more than lost digits.

    Attributes:
        culprits: that were found.
        unknown: what is left; one line at most.
    """

    culprits: tuple[Culprit, ...] = ()
    unknown: tuple[str, ...] = ()


def beyond_digits(
    ctx: Context,
    test: PrecisionTest,
    weights: tuple[float, ...],
    named: frozenset[str],
    seen: Observation,
    failure: Failure,
) -> Beyond:
    """Searches where, with all that is named in FP32, the case fails by more than lost digits; else it is one trial.

    Args:
        test: of the search before.
        named: nodes of the culprits that are known already.
    """
    outcome = _left_over(ctx, named, seen, failure)
    if outcome is None:
        return Beyond()
    ctx.report_progress(Progress("localise", "which nodes fail by more than the digits that they lose?"))
    again = _BeyondDigits(test, named, seen)
    answer = searched(ctx, again, weights).answer
    sets = [nodes for nodes in answer.culprits if not named & {*nodes}] if answer is not None else []
    exact = answer is not None and answer.exact
    culprits = tuple(Culprit(n, "precision", _words(n, again.is_smallest(n, exact))) for n in sets)
    all_named = named.union(*sets)
    left = _left_over(ctx, all_named, seen, failure) if sets else outcome
    return Beyond(culprits, (_line(left, all_named),) if left is not None else ())


class _BeyondDigits(PrecisionTest):
    """The same question, where a failure that lost digits explain is none."""

    def __init__(self, test: PrecisionTest, named: frozenset[str], seen: Observation) -> None:
        super().__init__(test.ctx, test.signature, test.fast, named, frozenset(test.passing), test.atoms)
        self.seen, self.trials = seen, 0

    @property
    def gave_up(self) -> bool:
        return super().gave_up or self.trials >= _MOST_TRIALS * self.workers

    def verdict(self, low: frozenset[str], outcome: Outcome) -> Verdict:
        self.trials += 1
        told = super().verdict(low, outcome)
        return "pass" if told == "fail" and digits_explain(self.ctx, low, self.seen, outcome) else told


def _left_over(ctx: Context, named: Collection[str], seen: Observation, failure: Failure) -> Outcome | None:
    """The failure with all but these nodes in low precision; None where there is none, or lost digits explain it."""
    rest = tuple(n for n in ctx.items if n not in named)
    outcome = failure(rest)
    return None if outcome.status != "fail" or digits_explain(ctx, rest, seen, outcome) else outcome


def _words(nodes: tuple[str, ...], smallest: bool) -> str:
    if len(nodes) == 1:
        return "with this node alone in low precision the case fails by more than the digits that it loses"
    least = ", and without any one of them it does not" if smallest else ""
    return (
        "with these nodes together in low precision the case fails by more than the digits that they lose"
        + least
    )


def _line(outcome: Outcome, named: Collection[str]) -> str:
    where = "with the cause in FP32" if named else "with all nodes in low precision"
    return (
        f"{where} the case fails by more than the digits that nodes lose ({outcome.reason}): what else is wrong is "
        "not known"
    )
