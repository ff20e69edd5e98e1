"""Localise: the smallest failing sets (causes) and the smallest passing pin set (fix)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache

from trtdebug.core.diagnosis import Culprit
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import BanTactic, Knob
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.oracle.verdict import evidence_on
from trtdebug.plugins.types import Localisation
from trtdebug.search.topology import branchwise
from trtdebug.stages.context import Context
from trtdebug.stages.localising.ask_localizer import Found, replacement, searched
from trtdebug.stages.localising.atoms import Atoms
from trtdebug.stages.localising.beyond_digits import Beyond, beyond_digits
from trtdebug.stages.localising.diffuse import diffuse
from trtdebug.stages.localising.drift import Failure
from trtdebug.stages.localising.excused import excuse
from trtdebug.stages.localising.hidden_pins import doubted
from trtdebug.stages.localising.precision_test import PrecisionTest
from trtdebug.stages.low_trials import low_outcome
from trtdebug.stages.observing.observe import LocalError, Observation
from trtdebug.stages.observing.substitute_each import substitute_each
from trtdebug.stages.verdicts.sanity import forced_job

NO_SMALLER_PINS = "no set of pins smaller than the whole model is known to help: build in FP32"
_BASE_WEIGHT = 1e-6


@dataclass(frozen=True)
class Located:
    """The answer of the search.

    Attributes:
        pins: nodes with which in FP32 the case passes, None where no such set was found.
        alone: nodes shown to make it fail by themselves, or with those they are inseparable from: each of them has to
            be among the pins.
        inseparable: pinned nodes of one engine layer, to which the builder gives no different precisions; beside
            `rounding` all that one layer computes.
        fast: this is known of builds with the settings for searching.
        knobs: the fewest global switches that were seen to cure the case together; empty where none did.
        marks: tensors whose marking as outputs was seen to cure it; empty where none did.
        bans: tactics without which it was seen to pass; empty where none are known.
        unknown: what could not be decided, one line each.
        findings: nodes that only round, or amplify rounding, and so are no culprits.
        rounding: nodes that only round, and break the tolerance together, so that no search was made among them.
    """

    culprits: tuple[Culprit, ...]
    pins: tuple[str, ...] | None
    unknown: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    knobs: tuple[Knob, ...] = ()
    marks: tuple[str, ...] = ()
    bans: tuple[BanTactic, ...] = ()
    alone: frozenset[str] = frozenset()
    inseparable: tuple[tuple[str, ...], ...] = ()
    fast: bool = False
    rounding: tuple[str, ...] = ()


def localise(
    ctx: Context,
    signature: Signature,
    observation: Observation,
    fast: bool,
    healthy: frozenset[str] = frozenset(),
    layers: tuple[tuple[str, ...], ...] = (),
) -> Located:
    """Searches over the nodes in low precision, with the observation as evidence and prior.

    Nodes of one layer are looked for together. Of a layer that is found at fault they are then tried one by one.

    Args:
        healthy: nodes that were seen to pass together in low precision, all others pinned.
        layers: nodes that one layer of the engine computes; no node is of two.
    """
    substituted = substitute_each(ctx, observation.suspects)
    judged = {s.node: (s, evidence_on(substituted[s.node], signature)) for s in observation.suspects}
    exact = ctx.candidate.deterministic
    evidence = {n: _words(suspect, exact) for n, (suspect, verdict) in judged.items() if verdict == "fail"}
    unjudged = sum(verdict == "untestable" for _, verdict in judged.values())
    atoms = Atoms.of(_branchwise(ctx), layers)
    test = PrecisionTest(ctx, signature, fast, frozenset(evidence), healthy, atoms)
    prior = {
        n: _weight(ctx, observation.local.get(n), n in evidence)
        for atom in atoms.members.values()
        for n in atom
    }
    weights = tuple(max(prior[n] for n in atoms.members[name]) for name in atoms.names)

    @cache
    def failure(nodes: tuple[str, ...]) -> Outcome:
        """Of these nodes alone in low precision, as it was seen where it was."""
        if len(nodes) == 1 and nodes[0] in evidence:
            return substituted[nodes[0]]
        if (
            len(nodes) == len(ctx.items)
            and (forced := ctx.session.run(forced_job(ctx, fast))).status != "pass"
        ):
            return forced
        return low_outcome(ctx, nodes, fast)

    found = (
        None if ctx.case.localizer else _without_search(ctx, evidence, observation, failure, healthy, layers)
    )
    found = found or searched(ctx, test, weights)
    if found.answer is None:
        return Located((), None, (f"the localizer {found.name} broke; see `trtdebug ext list`",))
    located = _located(ctx, found.answer, evidence, found.inseparable, test)
    located = _with_doubts(located, tuple(doubted(ctx, located.culprits, evidence.keys(), failure)))
    excused = excuse(ctx, located.culprits, evidence.keys(), observation, failure)
    named = frozenset(n for c in excused.culprits if c.proven for n in c.nodes)
    beyond = beyond_digits(ctx, test, weights, named, observation, failure) if excused.findings else Beyond()
    unknown = [*located.unknown, *excused.unknown, *beyond.unknown]
    if line := replacement(ctx, found):
        unknown.append(line)
    if test.gave_up:
        unknown.append(
            f"{test.untestable} mixtures of precisions in a row could not be tested, and no more were tried"
        )
    if unjudged:
        unknown.append(f"of {unjudged} suspects it could not be seen by substitution whether they matter")
    return replace(
        located,
        culprits=(*excused.culprits, *beyond.culprits),
        unknown=tuple(unknown),
        findings=excused.findings,
        fast=fast,
        rounding=found.rounding,
    )


def _without_search(
    ctx: Context,
    evidence: Collection[str],
    seen: Observation,
    failure: Failure,
    healthy: Collection[str],
    layers: tuple[tuple[str, ...], ...],
) -> Found | None:
    """The answer where rounding breaks the tolerance beside what is convicted already; None where that is not known."""
    if all(n in evidence or n in healthy for n in ctx.items):
        return None
    rounding = diffuse(ctx, evidence, seen, failure)
    convicted = tuple((n,) for n in ctx.items if n in evidence)
    answer = Localisation((*convicted, rounding), None, exact=False)
    return Found(answer, inseparable=layers, rounding=rounding) if rounding else None


def _branchwise(ctx: Context) -> tuple[str, ...]:
    """The items in a topological order that keeps branches together: splits follow the graph."""
    order, items = ctx.index.order, frozenset(ctx.items)
    number = {name: i for i, name in enumerate(order)}
    edges = [(number[before], number[name]) for name in order for before in ctx.index.predecessors(name)]
    return tuple(order[i] for i in branchwise(len(order), edges) if order[i] in items)


def _weight(ctx: Context, local: LocalError | None, convicted: bool) -> float:
    """Prior: near 1 for a node shown to matter, else how far its own error is up the tolerance."""
    if convicted:
        return 0.99
    if local is None:
        return _BASE_WEIGHT
    if local.error.nonfinite:
        return 0.1
    limit = ctx.limits.rms
    return _BASE_WEIGHT + 0.01 * (min(local.error.rms_rel / limit, 1.0) if limit else 1.0)


def _located(
    ctx: Context,
    answer: Localisation,
    evidence: dict[str, str],
    inseparable: tuple[tuple[str, ...], ...],
    test: PrecisionTest,
) -> Located:
    position = {name: i for i, name in enumerate(ctx.items)}
    layers = frozenset(map(frozenset, inseparable))
    answer = _ordered(_with_convicted(answer, evidence), position, layers)

    def known_by(nodes: tuple[str, ...]) -> str:
        return _known_by(nodes, evidence, frozenset(nodes) in layers, test.is_smallest(nodes, answer.exact))

    culprits = tuple(Culprit(nodes, "precision", known_by(nodes)) for nodes in answer.culprits)
    unknown: tuple[str, ...] = (answer.note,) if answer.note else ()
    if answer.unresolved:
        culprits += (Culprit(answer.unresolved, "precision", answer.note or "not told apart", proven=False),)
        unknown += (f"{len(answer.unresolved)} nodes could not be told apart",)
    useful = answer.protect is not None and len(answer.protect) < len(ctx.items)
    if answer.protect and not useful:
        unknown += (NO_SMALLER_PINS,)
    by_themselves = (nodes for nodes in answer.culprits if len(nodes) == 1 or frozenset(nodes) in layers)
    alone = frozenset(n for nodes in by_themselves for n in nodes) | evidence.keys()
    return Located(
        culprits, answer.protect if useful else None, unknown, alone=alone, inseparable=inseparable
    )


def _with_doubts(located: Located, culprits: tuple[Culprit, ...]) -> Located:
    """The same with these culprits; what is proven no more is not known to fail by itself."""
    unproven = {n for c in culprits if not c.proven for n in c.nodes}
    return replace(located, culprits=culprits, alone=located.alone - unproven)


def _with_convicted(answer: Localisation, evidence: Collection[str]) -> Localisation:
    """The same; nodes that were seen to fail by themselves are culprits even where the search stopped before them."""
    alone = tuple((n,) for n in answer.unresolved if n in evidence)
    left = tuple(n for n in answer.unresolved if n not in evidence)
    return replace(answer, culprits=answer.culprits + alone, unresolved=left)


def _ordered(
    answer: Localisation, position: Mapping[str, int], layers: Collection[frozenset[str]]
) -> Localisation:
    """The same, all names in the order of the items. What fails by itself stands before sets."""

    def ordered(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(names, key=position.__getitem__))

    def place(nodes: tuple[str, ...]) -> tuple[bool, int]:
        return len(nodes) > 1 and frozenset(nodes) not in layers, position[nodes[0]]

    culprits = sorted(map(ordered, answer.culprits), key=place)
    protect = None if answer.protect is None else ordered(answer.protect)
    return replace(answer, culprits=tuple(culprits), protect=protect, unresolved=ordered(answer.unresolved))


def _known_by(names: tuple[str, ...], evidence: dict[str, str], is_layer: bool, smallest: bool) -> str:
    if len(names) == 1 and names[0] in evidence:
        return evidence[names[0]]
    if is_layer:
        return (
            "the case fails with these nodes alone in low precision; one layer of the engine computes them, and the "
            "builder gives them no different precisions"
        )
    if len(names) == 1:
        return "the case fails with this node alone in low precision"
    if not smallest:
        return (
            "the case fails with these nodes together in low precision; whether fewer of them do is not known"
        )
    return "the case fails with these nodes only together in low precision"


def _words(suspect: LocalError, exact: bool) -> str:
    """`exact`: nodes that compute the same are built the same, so that it does not matter which of them was."""
    error = suspect.error
    what = (
        f"{error.nonfinite} of {error.elements} elements become Inf or NaN"
        if error.nonfinite
        else error.reason
    )
    other = f" (built was {suspect.built!r}, which computes the same)" if suspect.built and not exact else ""
    fed = f"fed with the reference's inputs{other}: {what}"
    return f"{fed}; put into the reference, its output alone makes the case fail"
