"""Built-in search strategies, registered through the same hook as third parties' are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Localisation, LocaliserTest, Localizer
from trtdebug.search.drive import drive_many
from trtdebug.search.leftmost import Leftmost
from trtdebug.search.noisy import Noisy
from trtdebug.search.types import Answer, Subset, Verdict

MAX_TRIALS = 300
MAX_NOISY_TRIALS = 150
"""Trials at most, for each worker: several at once are asked more to be sooner done."""
MAX_CULPRITS = 32
"""More culprits than this, beside those that were expected, are no cause but drift: rounding everywhere."""
_EXPECTED = 0.5
"""Prior from which on a node is expected to be one: it was seen to be at fault, so that asking for it alone takes no
trial. Where a residual stream overflows they may be hundreds."""


def leftmost(nodes: tuple[str, ...], test: LocaliserTest, weights: tuple[float, ...]) -> Localisation:
    """Repeated bisection weighted by the prior, with QuickXplain where nodes fail only together."""
    alone = _failing_alone(nodes, test, weights)
    left = {n: weight for n, weight in zip(nodes, weights, strict=True) if n not in alone}
    rest, prior = tuple(left), tuple(left.values())
    width = test.workers
    search = Leftmost(len(rest), prior, width=width, max_trials=MAX_TRIALS * width, max_culprits=MAX_CULPRITS)

    def at_once(subsets: Sequence[Subset]) -> list[Verdict]:
        return test.many([frozenset(rest[i] for i in subset) for subset in subsets])

    found = _localisation(rest, drive_many(search, at_once))
    culprits = (*((n,) for n in alone), *found.culprits)
    return replace(found, culprits=culprits, protect=(*alone, *(found.protect or ())))


def _failing_alone(
    nodes: tuple[str, ...], test: LocaliserTest, weights: tuple[float, ...]
) -> tuple[str, ...]:
    """Those of the nodes that are expected to be culprits and fail alone: they need not be searched for."""
    expected = [n for n, weight in zip(nodes, weights, strict=True) if weight > _EXPECTED]
    verdicts = test.many([frozenset((n,)) for n in expected])
    return tuple(n for n, verdict in zip(expected, verdicts, strict=True) if verdict == "fail")


def bayesian(nodes: tuple[str, ...], test: LocaliserTest, weights: tuple[float, ...]) -> Localisation:
    """Noisy bisection: weighs every verdict so far, and repeats trials until the answer is sure enough."""
    number = {name: i for i, name in enumerate(nodes)}
    width = test.workers
    search = Noisy(len(nodes), weights, width=width, max_trials=MAX_NOISY_TRIALS * width)
    for low, verdict in test.told:
        search.tell(frozenset(number[name] for name in low), verdict)
    times = Counter(low for low, _ in test.told)

    def again(subsets: Sequence[Subset]) -> list[Verdict]:
        lows = [frozenset(nodes[i] for i in subset) for subset in subsets]
        before = [times[low] for low in lows]
        times.update(lows)
        return test.many(lows, before)

    return _localisation(nodes, drive_many(search, again))


def _localisation(nodes: tuple[str, ...], answer: Answer) -> Localisation:
    return Localisation(
        culprits=tuple(_names(nodes, c) for c in answer.culprits),
        protect=_names(nodes, answer.protect),
        exact=answer.exact,
        unresolved=_names(nodes, answer.unresolved),
        note=answer.note,
    )


def _names(nodes: tuple[str, ...], subset: frozenset[int]) -> tuple[str, ...]:
    return tuple(nodes[i] for i in sorted(subset))


@hookimpl
def trtdebug_localizers() -> Iterable[Localizer]:
    return (
        Localizer("leftmost", "repeated weighted bisection; QuickXplain for interactions", leftmost),
        Localizer("bayesian", "for verdicts that are not always the same", bayesian),
    )
