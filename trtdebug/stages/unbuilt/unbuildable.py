"""Unbuildable: the smallest pieces of a model that the candidate does not build, and why.

A piece fails only where it fails as the model does (see `failure_key`); one that fails otherwise says nothing, since
cutting it out may have made it invalid. Nodes that the parser or the builder names are tried by themselves first; else
the graph is cut down. What was found is cut out of the model, and the search goes on until the rest builds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import onnx
from onnx import TensorProto, helper

from trtdebug.core.build_error import BuildError
from trtdebug.core.outcome import Outcome
from trtdebug.graph.hoist import held_models
from trtdebug.graph.names import node_names
from trtdebug.graph.pieces import Cutter
from trtdebug.graph.types import tensor_types
from trtdebug.graph.walk import bodies
from trtdebug.search.types import Verdict
from trtdebug.stages.context import Progress
from trtdebug.stages.unbuilt.piece_builds import PieceBuilds, build_errors
from trtdebug.stages.unbuilt.piece_trials import PieceTrials

_MOST_NEEDS = 12
"""So many nodes that come along are tried one by one."""


@dataclass(frozen=True)
class Unbuildable:
    """A smallest piece that is not built.

    Attributes:
        nodes: without any of them it is built. In topological order.
        error: what the candidate says of the piece alone.
        inside: the nodes that hold these in their bodies or functions, the outermost first.
        needs: nodes that come along, since they compute constants or sizes that the others have to know.
        proven: it was shown to fail alone. Else the fault lies somewhere within `nodes`.
        piece: the model of `nodes` and `needs`; of the node that holds them where they cannot be had alone.
        marks: tensors without which as outputs it is built.
    """

    nodes: tuple[str, ...]
    error: BuildError
    piece: onnx.ModelProto
    inside: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    proven: bool = True
    marks: tuple[str, ...] = ()


@dataclass
class Hunt:
    """The search for all unbuildable pieces of the case's model.

    Attributes:
        found, unknown: the answer; what could not be decided, one line each.
        built: some piece was built, so it is not the candidate as such that fails.
    """

    builds: PieceBuilds
    found: list[Unbuildable] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    built: bool = False

    def run(self, errors: Sequence[BuildError]) -> None:
        """Searches the whole model, which fails with these errors."""
        model = self.builds.model
        cutter = Cutter(model, tensor_types(model), self.builds.learn, self.builds.recall)
        self.builds.fast = not self.builds.ctx.candidate.deterministic
        breaks = errors[0].kind in ("crash", "timeout")  # that is dear, and may be the machine's own fault
        if not breaks or self._builds_at_all():
            self.found += _Level(self, PieceTrials(self, cutter)).search(errors)
        if not self.built and not self._builds_at_all():
            self.unknown.append(f"the candidate does not even build a model of one Identity: {errors[0]}")
            self.found.clear()

    def build(self, piece: onnx.ModelProto, purpose: str) -> Outcome:
        """Builds a piece; tells how many nodes it has."""
        self._tell_progress(piece, purpose)
        outcome = self.builds.build(piece, purpose)
        self.built = self.built or outcome.status == "pass"
        return outcome

    def build_ahead(self, pieces: Sequence[tuple[onnx.ModelProto, str]]) -> None:
        """Builds pieces, each with its purpose, that may be asked for next."""
        for piece, purpose in pieces:
            self._tell_progress(piece, purpose)
        self.builds.build_ahead(pieces)

    @property
    def workers(self) -> int:
        """How many pieces are built at once."""
        return self.builds.ctx.session.workers

    def _tell_progress(self, piece: onnx.ModelProto, purpose: str) -> None:
        self.builds.ctx.report_progress(Progress("localise", purpose, len(piece.graph.node)))

    def _builds_at_all(self) -> bool:
        border = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in ("x", "y")]
        graph = helper.make_graph(
            [helper.make_node("Identity", ["x"], ["y"], "y")], "g", border[:1], border[1:]
        )
        model = self.builds.model
        trivial = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
        return self.build(trivial, "a model of one Identity").status == "pass"


@dataclass
class _Level:
    """The search in one graph: the model's, or what a node of it holds.

    Attributes:
        genuine: keys of failures that are the model's own, and not only those of pieces.
    """

    hunt: Hunt
    trials: PieceTrials
    genuine: set[str] = field(default_factory=set)

    @property
    def cutter(self) -> Cutter:
        return self.trials.cutter

    def search(self, errors: Sequence[BuildError], are_genuine: bool = True) -> list[Unbuildable]:
        """All unbuildable pieces of this graph, which fails with these errors.

        Args:
            are_genuine: the errors are those of the whole model; else they may come of how the graph was cut out.
        """
        found: list[Unbuildable] = []
        if are_genuine:
            self.genuine |= self.trials.keys_of(errors)
        while errors:
            self.trials.look_for(errors)
            new = self._named(errors) or self._smallest()
            artificial = [piece for piece in new if self._is_artificial(piece)]
            if artificial:
                self.hunt.unknown.append(
                    f"{self._where}{', '.join(artificial[0].nodes)} fails, perhaps only for how it was cut out: "
                    f"{artificial[0].error}"
                )
            real = [piece for piece in new if piece not in artificial]
            found += [inner for piece in real for inner in self._descend(piece)]
            if not new or not all(piece.proven for piece in new):
                return found
            self.genuine |= {k for piece in real for k in self.trials.keys_of([piece.error])}
            self.trials.gone |= {name for piece in new for name in piece.nodes}
            errors = self._errors_of_rest()
        return found

    @property
    def _where(self) -> str:
        return f"in {self.trials.inside[-1]!r}: " if self.trials.inside else ""

    def _errors_of_rest(self) -> tuple[BuildError, ...]:
        """Why what is left is not built; none where it is, or where that cannot be told."""
        blind = self.cutter.blind(self.trials.gone)
        self.trials.gone.update(blind)
        if blind:
            self.hunt.unknown.append(
                f"{self._where}{len(blind)} nodes behind what was found could not be tested: the types of what they "
                "read are unknown"
            )
        if not self.trials.rest:
            return ()
        outcome = self.trials.outcome(self.trials.rest)
        errors = build_errors(outcome) if outcome is not None else ()
        if not errors and (outcome is None or outcome.status != "pass"):
            why = outcome.reason if outcome is not None else "the type of a tensor is not known"
            self.hunt.unknown.append(
                f"{self._where}without what was found, the rest could not be tested: {why}"
            )
        return errors

    def _is_artificial(self, piece: Unbuildable) -> bool:
        known = self.genuine & self.trials.keys_of([piece.error])
        return not known and self.trials.has_thin_border(piece.nodes)

    # what is found ----------------------------------------------------------------------------------------

    def _named(self, errors: Iterable[BuildError]) -> list[Unbuildable]:
        """The nodes that errors name, as far as they fail alone; so many at once as there are workers."""
        named = dict.fromkeys(e.outer for e in errors if e.outer in self.cutter.index)
        here = [name for name in named if name is not None and name not in self.trials.gone]
        found: list[Unbuildable] = []
        for start in range(0, len(here), self.hunt.workers):
            group = here[start : start + self.hunt.workers]
            self.trials.prepare([(name,) for name in group])
            found += [self._piece((name,)) for name in group if self.trials.test((name,)) == "fail"]
        return found

    def _smallest(self) -> list[Unbuildable]:
        """One smallest piece of what is left; none where no part of it can be told to fail."""
        if self._test_everything() == "fail":
            return [self._cut_down(self.trials.rest)]
        self.hunt.unknown.append(f"{self._where}cut out, the graph's nodes do not fail as they did")
        return []

    def _test_everything(self) -> Verdict:
        """The search begins with a graph that fails. Cheap settings are good for as long as it does with them."""
        verdict = self.trials.test(self.trials.rest)
        if verdict != "fail" and self.hunt.builds.fast:
            self.hunt.builds.fast = False
            self.trials.forget()
            verdict = self.trials.test(self.trials.rest)
        return verdict

    def _cut_down(self, nodes: Sequence[str], again: bool = True) -> Unbuildable:
        """A smallest piece of these nodes, which fail.

        Where pieces that fail otherwise are in the way, the first of these is looked into, if `again`.
        """
        found = self.trials.smallest(nodes, self.hunt.workers)
        piece = self._piece(found.nodes)
        if found.proven:
            return piece
        piece = replace(piece, proven=False)
        other = self._other(piece) if again else None
        if other is None:
            self.hunt.unknown.append(
                f"{self._where}the fault lies among {len(piece.nodes)} nodes: {found.note}"
            )
        return other or piece

    def _other(self, undecided: Unbuildable) -> Unbuildable | None:
        """Another failure, which hides the one that was looked for; None where it may be one of pieces only.

        It has to show in the whole graph without what is undecided, and the one that was looked for without it.
        """
        if not self.trials.otherwise:
            return None
        keys, rest = self.trials.keys, self.trials.rest
        nodes, errors = min(self.trials.otherwise.items(), key=lambda item: len(item[0]))
        self.trials.look_for(errors)
        ordered = [name for name in rest if name in nodes]
        piece = self._cut_down(ordered, again=False) if self.trials.test(ordered) == "fail" else None
        if piece is None or not piece.proven or self.trials.has_thin_border(piece.nodes):
            return None
        hidden = set(undecided.nodes) - set(piece.nodes)
        shows = self.trials.test([name for name in rest if name not in hidden]) == "fail"
        without = self.trials.outcome([name for name in rest if name not in piece.nodes])
        is_other = without is not None and keys & self.trials.keys_of(build_errors(without))
        return piece if shows and is_other else None

    def _piece(self, nodes: Collection[str]) -> Unbuildable:
        """The failing piece of these nodes, and of what they need to fail; of the latter where that fails by itself."""
        ordered = tuple(sorted(nodes, key=self.cutter.index.position))
        needs = self.cutter.needs(ordered, self.trials.gone)
        if needs and self.trials.test(needs) == "fail":
            return self._cut_down(needs)
        needs = self._least_needs(ordered, needs)
        outcome = self.trials.exactly((*ordered, *needs))
        errors = build_errors(outcome) if outcome is not None else ()
        error = next(e for e in errors if self.trials.keys_of([e]) & self.trials.keys)
        if error.outer in (None, ordered[0]) and not error.inside and len(ordered) == 1:
            error = replace(error, node=ordered[0], operator=self.cutter.index.node(ordered[0]).op)
        piece = self.cutter.piece([*ordered, *needs])
        return Unbuildable(ordered, error, piece, self.trials.inside, needs)

    def _least_needs(self, nodes: Sequence[str], needs: tuple[str, ...]) -> tuple[str, ...]:
        """What of `needs` it takes to fail: nothing, most often; else each of them is tried to be left out."""

        def fails(kept: Sequence[str]) -> bool:
            return self.trials.verdict(self.trials.exactly((*nodes, *kept), len(nodes))) == "fail"

        if not needs or fails(()):
            return ()
        kept = needs
        for name in needs if len(needs) <= _MOST_NEEDS else ():
            fewer = tuple(n for n in kept if n != name)
            if fewer and fails(fewer):
                kept = fewer
        return kept

    # within nodes -----------------------------------------------------------------------------------------

    def _descend(self, found: Unbuildable) -> list[Unbuildable]:
        """What it is within a node with bodies, or within a function; the node itself where that is not known."""
        if len(found.nodes) != 1 or not found.proven:
            return [found]
        (name,) = found.nodes
        inner: list[Unbuildable] = []
        for held in held_models(self.cutter.model, name, self.cutter.types):
            trials = PieceTrials(self.hunt, Cutter(held, tensor_types(held)), (*self.trials.inside, name))
            outcome = trials.outcome(trials.rest)
            errors = build_errors(outcome) if outcome is not None else ()
            inner += _Level(self.hunt, trials).search(errors, _any_alike(errors, found.error, trials))
        return inner or [_as_told(found, self.cutter.model)]


def _any_alike(errors: Sequence[BuildError], error: BuildError, trials: PieceTrials) -> bool:
    """Whether one of the errors is this one, of whichever operator: of a node within, 8.6 tells the outer one."""
    plain = [replace(e, operator="") for e in errors]
    return bool(trials.keys_of(plain) & trials.keys_of([replace(error, operator="")]))


def _as_told(found: Unbuildable, model: onnx.ModelProto) -> Unbuildable:
    """Names the node within, where the parser does and it cannot be had alone."""
    error = found.error
    if error.inside[:1] != found.nodes:
        return found
    node = error.node or _only(model, found.nodes[0], error.operator)
    if node is None:
        return found
    return replace(
        found, nodes=(node,), inside=(*found.inside, *error.inside), error=replace(error, node=node)
    )


def _only(model: onnx.ModelProto, holder: str, operator: str) -> str | None:
    """The node of this operator in the bodies of a node, where there is no other."""
    protos = dict(zip(node_names(model), model.graph.node, strict=True))
    found = []
    for body in bodies(protos[holder]):
        named = node_names(onnx.ModelProto(graph=body))
        found += [name for name, node in zip(named, body.node, strict=True) if node.op_type == operator]
    return found[0] if len(found) == 1 else None
