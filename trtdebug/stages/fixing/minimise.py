"""Minimise: of the pins with which the case passes, those that are needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trtdebug.core.outcome import Outcome, Signature
from trtdebug.oracle.verdict import evidence_on
from trtdebug.search.drive import drive_ahead
from trtdebug.search.protect import MinimalProtect
from trtdebug.search.types import Subset, Verdict
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.fixing.near_limit import Failures, Needed, Probing, needed
from trtdebug.stages.localising.atoms import Atoms, whole_within
from trtdebug.stages.localising.localise import Located
from trtdebug.stages.low_trials import low_outcome

MAX_TRIALS = 32
"""Builds that it rests on, at most: where hundreds of nodes only round, fewer pins are not worth more."""
MAX_TRIALS_OF_ROUNDING = 8
"""The same where the pins are as few of the nodes that only round as it takes: few of them are needless."""


@dataclass(frozen=True)
class MinimalPins:
    """Pins of which none is known to be needless.

    Attributes:
        untested: those of `pins` whose need could not be tested; none of the others can be left out.
    """

    pins: tuple[str, ...]
    untested: tuple[str, ...] = ()


def minimal_pins(ctx: Context, signature: Signature, located: Located) -> MinimalPins | None:
    """Leaves out each pin without which the case, all unpinned nodes forced into low precision, still passes.

    What the search has shown takes no build: a node that fails alone needs its pin. Pinned nodes that only share a
    precision are left out together or not at all. None where there are no pins. Near the tolerance a pin's need is
    tested by itself (see trtdebug.stages.fixing.near_limit).
    Several workers also build what may be asked next: in each round all but one of them may do so in vain.
    """
    if not located.pins:
        return None
    atoms = Atoms.of(ctx.items, whole_within(located.inseparable, located.pins))
    number = {name: i for i, name in enumerate(atoms.names)}
    pins, everything = _numbers(number, atoms.within(located.pins)), frozenset(number.values())
    alone = pins & _numbers(number, atoms.touching(located.alone))
    most = MAX_TRIALS_OF_ROUNDING if located.rounding else MAX_TRIALS
    search = MinimalProtect(len(number), pins, alone, ctx.session.workers, max_trials=most)
    search.tell(everything - pins, "pass")
    search.tell(everything, "fail")
    proven = [
        _numbers(number, atoms.touching(culprit.nodes))
        for culprit in located.culprits
        if culprit.proven and culprit.kind == "precision"
    ]
    for culprits in proven:
        search.tell(culprits, "fail")
    failing: dict[Subset, Outcome] = {}

    def prepare(lows: Sequence[Subset]) -> None:
        left = min(len(everything - low) for low in lows)
        ctx.report_progress(Progress("fix", f"are {left} of {len(pins)} pins enough?", left, len(pins)))
        ctx.session.run_ahead([ctx.low_job(_nodes(atoms, low), located.fast) for low in lows])

    def test(low: Subset) -> Verdict:
        outcome = low_outcome(ctx, _nodes(atoms, low), located.fast)
        verdict = evidence_on(outcome, signature)
        if verdict == "fail":
            failing[low] = outcome
        return verdict

    answer = drive_ahead(search, test, prepare)
    if not answer.protect <= pins:  # builds that contradict each other: nothing more is known than before
        return MinimalPins(located.pins, _names(ctx, atoms, pins - alone))
    found = needed(
        Needed(answer.protect, answer.unresolved & answer.protect),
        Failures(everything, [*proven, *(frozenset((pin,)) for pin in alone)], failing),
        Probing(test, prepare, ctx.session.workers),
        most - answer.trials,
    )
    return MinimalPins(_names(ctx, atoms, found.pins), _names(ctx, atoms, found.untested))


def _numbers(number: Mapping[str, int], atoms: Iterable[str]) -> Subset:
    return frozenset(number[name] for name in atoms)


def _nodes(atoms: Atoms, numbers: Subset) -> frozenset[str]:
    return atoms.nodes(atoms.names[i] for i in numbers)


def _names(ctx: Context, atoms: Atoms, numbers: Subset) -> tuple[str, ...]:
    nodes = _nodes(atoms, numbers)
    return tuple(name for name in ctx.items if name in nodes)
