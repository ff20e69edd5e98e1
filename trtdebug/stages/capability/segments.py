"""Which parts of a model does a backend's parser take, which not, and why; and the largest part that it takes.

The parser's own word is a hint. What it says of a node in a model is true in that model, and each of its
complaints may hide others. So every part that is called supported here was cut out and parsed by itself, every
node that is called unsupported was refused by itself, and where the parser names nobody, breaks its process, or
blames a node that it takes by itself, the node at which it gives up is found by asking for ever longer beginnings.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import onnx

from trtdebug.backends.base import Support
from trtdebug.core.build_error import BuildError
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.segment import cut_segment, segment_inputs, weight_nodes
from trtdebug.graph.types import TensorType, sequences
from trtdebug.search.convex import largest_convex
from trtdebug.search.partition import partition

Verdict = Literal["supported", "unsupported", "unknown"]
Ask = Callable[[onnx.ModelProto], Support]
"""Asks the parser for a model."""

_TRIES = 16
"""How often the largest part is looked for again, without a node that the parser does not take in it."""


@dataclass(frozen=True)
class Segment:
    """Nodes that belong together.

    Attributes:
        nodes: in topological order. There may be others between them; no path leaves a segment and comes back.
        first, last: smallest and largest position in the file, from 0.
        errors: why it is not supported, by node in that order; empty where it is.
        weights: Constant nodes among them. The segment's model has their values as initialisers, and so has that of
            any other segment that reads them.
    """

    verdict: Verdict
    nodes: tuple[str, ...]
    first: int
    last: int
    errors: tuple[BuildError, ...] = ()
    weights: tuple[str, ...] = ()

    @property
    def computed(self) -> tuple[str, ...]:
        """The nodes that its model has as nodes."""
        return tuple(name for name in self.nodes if name not in self.weights)

    @property
    def contiguous(self) -> bool:
        """Whether all nodes of the file from the first to the last are in it."""
        return len(self.nodes) == self.last - self.first + 1


@dataclass(frozen=True)
class Capability:
    """What a parser takes of a model.

    Attributes:
        verdict: of the whole model as it stands.
        errors: what the parser says of the whole model; empty where it takes it.
        segments: each node of the model in one of them, in an order in which they can run one after the other.
        largest: the largest supported segment that can be cut out at all, by number of nodes (Constant nodes are
            not counted); it need not be one of `segments`, nor connected. None where no node is supported.
        exact: no larger one exists; False: none is known.
        questions: models that the parser was asked for.
    """

    verdict: Verdict
    errors: tuple[BuildError, ...]
    segments: tuple[Segment, ...]
    largest: Segment | None
    exact: bool
    questions: int


def survey(model: onnx.ModelProto, types: Mapping[str, TensorType], whole: Support, ask: Ask) -> Capability:
    """Finds out what the parser takes.

    Args:
        model: nodes named.
        types: of its tensors, as far as they are known.
        whole: what the parser says of the model as it stands.
        ask: asks it for other models.

    Raises:
        UserError: the graph has a cycle.
    """
    found = _Survey(model, types, ask)
    kinds = {error.kind for error in whole.errors}
    if whole.parsed is None and kinds != {"crash"}:  # there is no parser to be had, or it takes forever
        return Capability("unknown", whole.errors, (), None, False, 1)
    if whole.parsed:
        everything = found.segment("supported", found.index.order) if found.index.order else None
        return Capability("supported", (), (everything,) if everything else (), everything, True, 1)
    found.judge_suspects(found.index.order, whole)
    parts = found.settle()
    segments = found.segments(parts)
    refused = whole.parsed is False or any(s.verdict == "unsupported" for s in segments)
    largest, exact = found.largest(parts)
    return Capability(
        "unsupported" if refused else "unknown", whole.errors, segments, largest, exact, found.questions + 1
    )


class _Survey:
    def __init__(self, model: onnx.ModelProto, types: Mapping[str, TensorType], ask: Ask) -> None:
        self.model, self.types, self.index = model, types, GraphIndex(model)
        self.questions = 0
        self._ask = ask
        self._answers: dict[frozenset[str], Support] = {}
        self._verdicts: dict[str, Verdict] = {}  # of nodes that are not supported
        self._errors: dict[str, tuple[BuildError, ...]] = {}
        self._starts: set[str] = set()  # taken by themselves, and refused behind what they read
        self._alone: set[str] = set()  # taken by themselves only
        self._weights = weight_nodes(model, self.index)
        self._places = {node.name: place for place, node in enumerate(self.index.nodes)}
        self._sequences = sequences(model)
        self._blurred = _blurred(model, self.index, types) - self._sequences

    def settle(self) -> tuple[tuple[str, ...], ...]:
        """Cuts the model until every part that is not known to be refused is taken by itself."""
        while True:
            parts = self._parts()
            refused = next(
                (p for p in parts if self._is_open(p) and self._support(p).parsed is not True), None
            )
            if refused is None:
                return parts
            if not self.judge_suspects(refused, self._support(refused)):
                culprit = self._where_it_ends(refused)
                if not self._judge(culprit, ()):
                    before = set(self.index.predecessors(culprit)) & set(refused)
                    (self._alone if culprit in self._starts or not before else self._starts).add(culprit)

    def judge_suspects(self, nodes: Sequence[str], answer: Support) -> bool:
        """Asks for each node by itself that the parser blames or leaves out; whether one of them is refused."""
        named = {error.outer for error in answer.errors}
        kept = {node for subgraph in answer.subgraphs for node in subgraph.nodes}
        left_out = set(nodes) - kept - self._weights if kept else set()
        suspects = [n for n in nodes if (n in named or n in left_out) and n not in self._verdicts]
        refused = [name for name in suspects if self._judge(name, answer.errors)]
        return bool(refused)

    def _judge(self, name: str, errors: Sequence[BuildError]) -> bool:
        """Whether the parser does not take this node by itself; notes why, in the words of `errors` if they name it."""
        answer = self._support((name,))
        if answer.parsed:
            return False
        blurred = [t for t in self.index.node(name).reads if t in self._blurred]
        self._weights -= {name}
        said = tuple(e for e in errors if e.outer == name) or answer.errors
        if answer.parsed is None:
            self._note(name, "unknown", answer.errors)
        elif blurred:
            doubt = f"{said[0].message} But the shape of {blurred[0]!r}, which it reads, is not wholly known."
            self._note(name, "unknown", (_unasked(name, self.index.node(name).op, blurred[0], doubt),))
        else:
            self._note(name, "unsupported", said)
        return True

    def _note(self, name: str, verdict: Verdict, errors: tuple[BuildError, ...]) -> None:
        self._verdicts[name], self._errors[name] = verdict, errors

    def _parts(self) -> tuple[tuple[str, ...], ...]:
        names = [name for name in self.index.order if name not in self._weights]
        number = {name: item for item, name in enumerate(names)}
        labels: list[Hashable] = [
            ("alone", name) if name in self._alone else self._verdicts.get(name, "supported")
            for name in names
        ]
        parts = partition(
            labels,
            self._edges(names, number),
            "supported",
            starts={number[name] for name in self._starts},
            apart=("unsupported", "unknown"),
        )
        return tuple(tuple(names[item] for item in part) for part in parts)

    def _edges(self, names: Sequence[str], number: Mapping[str, int]) -> list[tuple[int, int]]:
        return [
            (number[before], number[name])
            for name in names
            for before in self.index.predecessors(name)
            if before in number
        ]

    def _is_open(self, part: Sequence[str]) -> bool:
        """Whether the nodes are not known to be refused. All of a part are alike."""
        return part[0] not in self._verdicts

    def _support(self, nodes: Sequence[str]) -> Support:
        """What the parser says of the model of just these nodes."""
        key = frozenset(nodes)
        if key not in self._answers:
            cut, blind = self._cut_sequences(nodes), self._blind(nodes)
            if cut:
                self._answers[key] = Support(False, cut)
            elif blind:
                self._answers[key] = Support(None, blind)
            else:
                self.questions += 1
                piece = cut_segment(self.model, self.index, nodes, self.types)
                self._answers[key] = self._ask(piece)
        return self._answers[key]

    def _cut_sequences(self, nodes: Sequence[str]) -> tuple[BuildError, ...]:
        """An error for each node that gets or gives a sequence across the cut: engines have tensors only."""
        within, errors = set(nodes), []
        for node in map(self.index.node, nodes):
            read = [t for t in node.reads if self.index.producer.get(t) not in within]
            written = [
                t
                for t in node.writes
                if t in self.index.outputs or not within.issuperset(self.index.consumers.get(t, ()))
            ]
            tensor = next((t for t in (*read, *written) if t in self._sequences), None)
            if tensor is not None:
                does = "reads" if tensor in read else "writes"
                text = f"{tensor!r}, which it {does}, is a sequence or the like, no tensor."
                errors.append(BuildError("parse", text, node=node.name, operator=node.op))
        return tuple(errors)

    def _blind(self, nodes: Sequence[str]) -> tuple[BuildError, ...]:
        """An error for each node that reads from elsewhere what has no known rank: a scalar to the parser."""
        inputs = set(segment_inputs(self.model, self.index, nodes)) - set(self.index.inputs)
        lacking = {t for t in inputs if t not in self.types or self.types[t].shape is None}
        errors = []
        for name in nodes:
            tensor = next((t for t in self.index.node(name).reads if t in lacking), None)
            if tensor is not None and tensor not in self.index.producer:
                text = f"No node writes {tensor!r}, which it reads."
                errors.append(BuildError("parse", text, node=name, operator=self.index.node(name).op))
            elif tensor is not None:
                text = f"The shape of {tensor!r}, which it reads, is not known."
                errors.append(_unasked(name, self.index.node(name).op, tensor, text))
        return tuple(errors)

    def _where_it_ends(self, part: Sequence[str]) -> str:
        """The node with which the parser stops to take beginnings of this part."""
        taken, refused = 0, len(part)
        while refused - taken > 1:
            middle = (taken + refused) // 2
            if self._support(part[:middle]).parsed:
                taken = middle
            else:
                refused = middle
        return part[refused - 1]

    def segments(self, parts: Sequence[Sequence[str]]) -> tuple[Segment, ...]:
        """The parts, each Constant node in the first one that reads it."""
        home: dict[str, int] = {}
        for at, part in enumerate(parts):
            for name in part:
                for weights in self._weights_of(name):
                    home.setdefault(weights, at)
        return tuple(
            self.segment(
                self._verdicts.get(part[0], "supported"),
                [*part, *(weights for weights, place in home.items() if place == at)],
            )
            for at, part in enumerate(parts)
        )

    def segment(self, verdict: Verdict, nodes: Sequence[str]) -> Segment:
        ordered = tuple(sorted(nodes, key=self.index.position))
        places = [self._places[name] for name in ordered]
        errors = tuple(dict.fromkeys(e for name in ordered for e in self._errors.get(name, ())))
        weights = tuple(name for name in ordered if name in self._weights)
        return Segment(verdict, ordered, min(places), max(places), errors, weights)

    def largest(self, parts: Sequence[Sequence[str]]) -> tuple[Segment | None, bool]:
        """The largest set of nodes that can be cut out and that the parser takes, and whether there is none larger."""
        names = [name for part in parts for name in part]
        number = {name: item for item, name in enumerate(names)}
        edges = self._edges(names, number)
        forbidden = {number[name] for name in (*self._verdicts, *self._alone)}
        exact = not self._alone
        known: Sequence[str] = max((p for p in parts if self._is_open(p)), key=len, default=())
        for _ in range(_TRIES):
            found = largest_convex(len(names), edges, forbidden)
            exact &= found.exact
            chosen = sorted((names[item] for item in found.items), key=self.index.position)
            if len(chosen) <= len(known):
                break
            if self._support(chosen).parsed:
                known = chosen
                break
            forbidden.add(number[self._where_it_ends(chosen)])
            exact = False
        else:
            exact = False
        if not known:
            return None, True
        weights = dict.fromkeys(w for name in known for w in self._weights_of(name))
        return self.segment("supported", [*known, *weights]), exact

    def _weights_of(self, name: str) -> list[str]:
        return [before for before in self.index.predecessors(name) if before in self._weights]


def _unasked(name: str, op: str, tensor: str, text: str) -> BuildError:
    return BuildError("parse", f"{text} Give it: --input-shapes {tensor}:SHAPE", node=name, operator=op)


def _blurred(model: onnx.ModelProto, index: GraphIndex, types: Mapping[str, TensorType]) -> frozenset[str]:
    """Tensors behind an operator that ONNX does not know, of whose shape something is unknown for that."""
    functions = {(function.domain, function.name) for function in model.functions}
    strange = [
        node.name
        for node in index.nodes
        if not onnx.defs.has(node.op, node.domain) and (node.domain, node.op) not in functions
    ]
    behind = {*strange, *index.descendants(strange)}
    return frozenset(
        tensor
        for name in behind
        for tensor in index.node(name).writes
        if tensor not in types or types[tensor].shape is None or None in (types[tensor].shape or ())
    )
