"""Trials of pieces of one graph: built or not, and if not, as the model or otherwise."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import onnx

from trtdebug.core.build_error import BuildError, failure_keys
from trtdebug.core.errors import UserError
from trtdebug.core.outcome import Outcome
from trtdebug.graph.fresh import names_in
from trtdebug.graph.pieces import Cutter
from trtdebug.search.drive import drive_ahead
from trtdebug.search.piece import SmallestPiece
from trtdebug.search.types import Subset, Verdict
from trtdebug.stages.unbuilt.piece_builds import build_errors

_MOST_UNTESTABLE = 40
"""Pieces in a row that fail otherwise, or whose types nobody knows, after which a search gives up."""


class Builder(Protocol):
    """Makes build-only trials."""

    def build(self, piece: onnx.ModelProto, purpose: str) -> Outcome: ...

    def build_ahead(self, pieces: Sequence[tuple[onnx.ModelProto, str]]) -> None:
        """Builds pieces, each with its purpose, at once, so that they are there when they are asked for."""
        ...


@dataclass(frozen=True)
class Told:
    """What was told of a piece: of `nodes`, which were asked for, and of the `whole`, with what they need.

    Attributes:
        passes: it is built. Else it fails in the way that was looked for.
    """

    nodes: frozenset[str]
    whole: frozenset[str]
    passes: bool


@dataclass(frozen=True)
class Smallest:
    """A piece that fails; `proven`: without any of its nodes it does not. Else `note` says why that is not known."""

    nodes: list[str]
    proven: bool
    note: str


@dataclass
class PieceTrials:
    """Trials of pieces of one graph, each done once.

    Attributes:
        inside: the nodes that hold this graph.
        keys: of the failure that is looked for; a piece that fails otherwise cannot be tested.
        gone: nodes that no further piece may have.
        told: what was learnt, in order.
        otherwise: pieces that fail otherwise, with what was said of them.
    """

    builder: Builder
    cutter: Cutter
    inside: tuple[str, ...] = ()
    keys: frozenset[str] = frozenset()
    gone: set[str] = field(default_factory=set)
    told: list[Told] = field(default_factory=list)
    otherwise: dict[frozenset[str], tuple[BuildError, ...]] = field(default_factory=dict)
    _outcomes: dict[frozenset[str], Outcome] = field(default_factory=dict)
    _in_a_row: int = 0

    @property
    def rest(self) -> list[str]:
        """Nodes that pieces are made of, in topological order."""
        return [name for name in self.cutter.items if name not in self.gone]

    def look_for(self, errors: Sequence[BuildError]) -> None:
        """From now on a piece fails where it fails as these errors say. What is built, is built."""
        keys = self.keys_of(errors)
        if not keys & self.keys:
            self.told = [told for told in self.told if told.passes]
        self.keys = keys
        self._in_a_row = 0

    def forget(self) -> None:
        """For other build settings."""
        self._outcomes.clear()
        self.told.clear()
        self.otherwise.clear()

    def keys_of(self, errors: Sequence[BuildError]) -> frozenset[str]:
        return failure_keys(errors, self._names)

    def prepare(self, sets: Sequence[Collection[str]]) -> None:
        """Builds at once what `test` may be called for next. One alone is built when it is."""
        if len(sets) < 2 or self._gave_up:
            return
        counts = {self._whole(nodes): len(nodes) for nodes in sets if nodes}
        types = dict(self.cutter.types)
        pieces = []
        for chosen in (c for c in counts if c not in self._outcomes):
            with suppress(UserError):
                pieces.append((self.cutter.piece(chosen), self._purpose(counts[chosen])))
        self.cutter.types = types  # nothing is learnt from what may never be asked for
        self.builder.build_ahead(pieces)

    def test(self, nodes: Collection[str]) -> Verdict:
        """Of these nodes and what they need; no nodes at all pass."""
        if not nodes:
            return "pass"
        if self._gave_up:
            return "untestable"
        outcome = self.outcome(nodes)
        verdict = self.verdict(outcome)
        self._in_a_row = self._in_a_row + 1 if verdict == "untestable" else 0
        if verdict != "untestable":
            self.told.append(Told(frozenset(nodes), self._whole(nodes), verdict == "pass"))
        elif outcome is not None and (errors := build_errors(outcome)):
            self.otherwise[frozenset(nodes)] = errors
        return verdict

    def smallest(self, nodes: Sequence[str], workers: int, most: int | None = None) -> Smallest:
        """A smallest piece of these nodes, which fail, beginning with what was told of pieces before.

        Several workers also build what may be asked next: in each round all but one of them may do so in vain.

        Args:
            most: trials, at most.
        """
        number = {name: i for i, name in enumerate(nodes)}
        before = {name: self.cutter.index.predecessors(name) for name in nodes}
        edges = [(number[b], number[name]) for name in nodes for b in before[name] if b in number]
        search = SmallestPiece(len(nodes), edges, workers, most)
        for told in self.told:
            if told.passes:
                search.tell(frozenset(number[n] for n in told.whole & number.keys()), "pass")
            elif told.nodes <= number.keys() and not told.whole & self.gone:
                search.tell(frozenset(number[n] for n in told.nodes), "fail")

        def named(subset: Subset) -> list[str]:
            return [nodes[i] for i in sorted(subset)]

        self.otherwise.clear()
        answer = drive_ahead(
            search,
            lambda subset: self.test(named(subset)),
            lambda subsets: self.prepare([named(subset) for subset in subsets]),
        )
        left = answer.culprits[0] if answer.culprits else answer.unresolved
        return Smallest(named(left) or list(nodes), bool(answer.culprits), answer.note)

    def verdict(self, outcome: Outcome | None) -> Verdict:
        """What an outcome says of the failure that is looked for."""
        if outcome is not None and outcome.status == "pass":
            return "pass"
        alike = outcome is not None and self.keys & self.keys_of(build_errors(outcome))
        return "fail" if alike else "untestable"

    def outcome(self, nodes: Collection[str]) -> Outcome | None:
        """Of these nodes and what they need; None where they cannot be cut out."""
        return self.exactly(self._whole(nodes), len(nodes))

    def exactly(self, nodes: Collection[str], count: int = 0) -> Outcome | None:
        """Of these nodes alone; None where they cannot be cut out. `count`: how many of them were asked for."""
        chosen = frozenset(nodes)
        if chosen not in self._outcomes:
            purpose = self._purpose(count or len(chosen))
            try:
                self._outcomes[chosen] = self.builder.build(self.cutter.piece(chosen), purpose)
            except UserError:
                return None
        return self._outcomes[chosen]

    def has_thin_border(self, nodes: Collection[str]) -> bool:
        """Whether these nodes may fail only for how they were cut out: a tensor at their border says less than it did.

        A border tensor of floats is as good as what was there before; one of integers had a value perhaps.
        """
        for tensor in dict.fromkeys(t for name in nodes for t in self.cutter.index.node(name).reads):
            cut = self.cutter.index.producer.get(tensor) in self.gone
            entry = bool(self.inside) and tensor in self.cutter.index.inputs
            if (cut or entry) and not self.cutter.is_plain(tensor):
                return True
        return False

    @property
    def _gave_up(self) -> bool:
        return self._in_a_row >= _MOST_UNTESTABLE

    def _purpose(self, count: int) -> str:
        where = f" in {self.inside[-1]}" if self.inside else ""
        return f"{count} of {len(self.cutter.items)} nodes{where}, built only"

    def _whole(self, nodes: Collection[str]) -> frozenset[str]:
        return frozenset((*nodes, *self.cutter.needs(nodes, self.gone)))

    @cached_property
    def _names(self) -> frozenset[str]:
        """Names of everything in the graph, which messages may hold."""
        return frozenset({*names_in(self.cutter.model.graph), *self.cutter.index.order} - {""})
