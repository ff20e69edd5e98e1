"""Built-in search strategies, registered through the same hook as third parties' are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Localisation, LocaliserTest, Localizer
from trtdebug.search.drive import drive
from trtdebug.search.leftmost import Leftmost
from trtdebug.search.noisy import Noisy
from trtdebug.search.types import Answer, Subset, Verdict

MAX_TRIALS = 300
MAX_NOISY_TRIALS = 150
MAX_CULPRITS = 32
"""More culprits than this are no cause but drift: rounding everywhere."""


def leftmost(nodes: tuple[str, ...], test: LocaliserTest, weights: tuple[float, ...]) -> Localisation:
    """Repeated bisection weighted by the prior, with QuickXplain where nodes fail only together."""
    search = Leftmost(len(nodes), weights, max_trials=MAX_TRIALS, max_culprits=MAX_CULPRITS)
    answer = drive(search, lambda subset: test(frozenset(nodes[i] for i in subset)))
    return _localisation(nodes, answer)


def bayesian(nodes: tuple[str, ...], test: LocaliserTest, weights: tuple[float, ...]) -> Localisation:
    """Noisy bisection: weighs every verdict so far, and repeats trials until the answer is sure enough."""
    number = {name: i for i, name in enumerate(nodes)}
    search = Noisy(len(nodes), weights, max_trials=MAX_NOISY_TRIALS)
    for low, verdict in test.told:
        search.tell(frozenset(number[name] for name in low), verdict)
    times = Counter(low for low, _ in test.told)

    def again(subset: Subset) -> Verdict:
        low = frozenset(nodes[i] for i in subset)
        times[low] += 1
        return test(low, again=times[low] - 1)

    return _localisation(nodes, drive(search, again))


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
