"""Unfuse: of tensors whose marking as outputs cures the case, the fewest that hold the cure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from trtdebug.core.intervention import Intervention, MarkOutputs
from trtdebug.graph.index import GraphIndex
from trtdebug.search.smallest import smallest
from trtdebug.stages.context import Context
from trtdebug.stages.repeated import Repeated

_MOST_SETS = 24
"""Sets of tensors to try: one of 16 takes up to five, two of them about ten."""
_FARTHEST = 8


def fewest_marks(ctx: Context, marks: Sequence[str], near: Iterable[str], builds: int) -> tuple[str, ...]:
    """The fewest of these tensors whose marking makes the case pass in every build, as far as can be told.

    Args:
        marks: tensors with which all marked the case passed once.
        near: nodes that the fault is among; tensors close to them are tried first.
        builds: that have to pass.

    Returns:
        Some of `marks`, in their order; empty where not even all of them hold the cure in fresh builds.
    """
    test = Repeated(ctx, "fusion", builds, _words)
    if test((MarkOutputs(tuple(marks)),)) != "pass":
        return ()
    away = distances(ctx.index, near)
    found = smallest(
        len(marks),
        lambda items: test((MarkOutputs(tuple(t for i, t in enumerate(marks) if i in items)),)),
        [4.0 ** -away.get(t, _FARTHEST) for t in marks],
        _MOST_SETS,
    )
    return tuple(t for i, t in enumerate(marks) if i in found.items)


def distances(index: GraphIndex, nodes: Iterable[str]) -> Mapping[str, int]:
    """How many nodes lie between these and each tensor, either way, up to 8; 0 = one of them reads or writes it."""
    away: dict[str, int] = {}
    todo = list(dict.fromkeys(nodes))
    seen = set(todo)
    for distance in range(_FARTHEST):
        tensors = {t for n in todo for t in (*index.node(n).reads, *index.node(n).writes)}
        fresh = [t for t in tensors if t not in away]
        away |= dict.fromkeys(fresh, distance)
        beside = {n for t in fresh for n in (index.producer.get(t), *index.consumers.get(t, ())) if n}
        todo = [n for n in beside if n not in seen]
        seen |= beside
    return away


def _words(interventions: tuple[Intervention, ...]) -> str:
    count = sum(len(i.tensors) for i in interventions if isinstance(i, MarkOutputs))
    return "1 tensor marked" if count == 1 else f"{count} tensors marked"
