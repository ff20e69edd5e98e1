"""Asks a localizer, the user's or a built-in one, and translates its answer from atoms into nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trtdebug.core.errors import TrtdebugError
from trtdebug.plugins.absent import why_absent
from trtdebug.plugins.record import Provided
from trtdebug.plugins.types import Localisation, Localizer
from trtdebug.stages.context import Context
from trtdebug.stages.localising.lent_test import LentTest, tested
from trtdebug.stages.localising.precision_test import PrecisionTest
from trtdebug.stages.verdicts.forced_again import doubted
from trtdebug.stages.verdicts.sanity import forced_job

LOCALIZER = "leftmost"
NOISY_LOCALIZER = "bayesian"
"""Takes over when a trial, repeated in a fresh build, contradicts itself."""


@dataclass(frozen=True)
class Found:
    """What was found, in nodes.

    Attributes:
        name: of the localizer whose answer it is; `broken`: of the one that the user chose, where that broke.
        inseparable, rounding: see `Located`.
    """

    answer: Localisation | None
    name: str = ""
    broken: str = ""
    inseparable: tuple[tuple[str, ...], ...] = ()
    rounding: tuple[str, ...] = ()


def searched(ctx: Context, test: PrecisionTest, weights: tuple[float, ...]) -> Found:
    """The answer of the localizer in question, by another one where that breaks or contradicts itself."""
    name = ctx.case.localizer or LOCALIZER
    answer = _ask(ctx, name, test, weights)
    broken = name if answer is None and ctx.case.localizer else ""
    if broken:
        name = LOCALIZER
        answer = _ask(ctx, name, test, weights)
    if answer is not None and not ctx.candidate.deterministic and test.contradicts(answer):
        doubted(ctx, forced_job(ctx, test.fast))
        name = NOISY_LOCALIZER
        answer = _ask(ctx, name, test, weights)
    if answer is None:
        return Found(None, name, broken)
    answer, inseparable = _told_apart(answer, test)
    return Found(answer, name, broken, inseparable)


def replacement(ctx: Context, found: Found) -> str:
    """One line about the localizer that the user chose, where another one took its place; else empty."""
    if not found.broken:
        return ""
    gone = _localizer(ctx, found.broken) is None
    why = "is not there any more" if gone else "broke"
    line = f"the localizer {found.broken} {why}, and {found.name} took its place; see `trtdebug ext list`"
    absent = why_absent(ctx.plugins, "localizers") if gone else ""
    return f"{line}.{absent}" if absent else line


def _ask(ctx: Context, name: str, test: PrecisionTest, weights: tuple[float, ...]) -> Localisation | None:
    """The answer of the localizer of this name, which knows atoms only, in nodes; None when it broke."""
    nodes = test.atoms.names
    chosen = _localizer(ctx, name)
    if chosen is None:  # a session that is resumed without the extension
        return None
    own = chosen.provider.builtin
    with ctx.plugins.guard(chosen.provider, f"localizer {name}", allow=(TrtdebugError,) if own else ()):
        if own:
            return _in_nodes(chosen.value.run(nodes, test, weights), test)
        answer = tested(chosen.value.run(nodes, LentTest(test), weights), name, nodes, LentTest(test))
        return _in_nodes(answer, test)
    return None


def _localizer(ctx: Context, name: str) -> Provided[Localizer] | None:
    return next((found for found in ctx.plugins.collect("localizers") if found.value.name == name), None)


def _in_nodes(answer: Localisation, test: PrecisionTest) -> Localisation:
    """An answer in atoms in nodes. Of an atom at fault those that were shown to fail alone stand for it."""
    atoms = test.atoms

    def at_fault(name: str) -> tuple[str, ...]:
        members = atoms.members[name]
        return tuple(n for n in members if n in test.convicted) or members

    return replace(
        answer,
        culprits=tuple(tuple(n for name in names for n in at_fault(name)) for names in answer.culprits),
        protect=None if answer.protect is None else tuple(atoms.nodes(answer.protect)),
        unresolved=tuple(atoms.nodes(answer.unresolved)),
    )


def _told_apart(
    answer: Localisation, test: PrecisionTest
) -> tuple[Localisation, tuple[tuple[str, ...], ...]]:
    """Tries the nodes of each layer at fault one by one: those that fail alone are the culprits in its place.

    Returns also the layers whose nodes the builder gives no different precisions. Where it does not for those of the
    first, it is not asked about the others.
    """
    layers = [nodes for nodes in answer.culprits if len(nodes) > 1 and nodes in test.atoms.members.values()]
    found: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for some in (layers[:1], layers[1:]):
        alone = [(layer, node) for layer in some for node in layer]
        verdicts = test.ask([frozenset((node,)) for _, node in alone])
        for (layer, node), verdict in zip(alone, verdicts, strict=True):
            if verdict != "untestable":
                found.setdefault(layer, []).extend([(node,)] if verdict == "fail" else [])
        if not found:
            break
    culprits = tuple(c for nodes in answer.culprits for c in found.get(nodes) or [nodes])
    return replace(answer, culprits=culprits), tuple(layer for layer in layers if layer not in found)
