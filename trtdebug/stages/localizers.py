"""Built-in search strategies, registered through the same hook as third parties' are."""

from __future__ import annotations

from collections.abc import Iterable

from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import Localisation, LocaliserTest, Localizer
from trtdebug.search.drive import drive
from trtdebug.search.leftmost import Leftmost

MAX_TRIALS = 300
MAX_CULPRITS = 32
"""More culprits than this are no cause but drift: rounding everywhere."""


def leftmost(nodes: tuple[str, ...], test: LocaliserTest, weights: tuple[float, ...]) -> Localisation:
    """Repeated bisection weighted by the prior, with QuickXplain where nodes fail only together."""
    search = Leftmost(len(nodes), weights, max_trials=MAX_TRIALS, max_culprits=MAX_CULPRITS)
    answer = drive(search, lambda subset: test(frozenset(nodes[i] for i in subset)))
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
    return (Localizer("leftmost", "repeated weighted bisection; QuickXplain for interactions", leftmost),)
