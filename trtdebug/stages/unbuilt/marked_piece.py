"""The smallest piece of a model that is not built with tensors marked as outputs, and is built without the marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import onnx

from trtdebug.core.build_error import BuildError, failure_keys
from trtdebug.core.outcome import Outcome
from trtdebug.graph.fresh import names_in
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.more_outputs import with_outputs
from trtdebug.graph.pieces import Cutter
from trtdebug.graph.types import tensor_types
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.unbuilt.piece_builds import PieceBuilds, build_errors
from trtdebug.stages.unbuilt.piece_trials import PieceTrials
from trtdebug.stages.unbuilt.unbuildable import Unbuildable

_MOST_TRIALS = 60
"""Of pieces; of one that fails two builds are made, with the marks and without."""


def marked_piece(ctx: Context, marks: Sequence[str], error: BuildError) -> Unbuildable:
    """The smallest piece found in which these marks, which the whole model is not built with, fail in the same way.

    It is the whole model where no piece of it does so. Nor is one looked for where a mark is a tensor of the builder's
    own: these are named after the places that their layers have in the whole network.

    Args:
        error: of a build of the whole model with these marks.
    """
    search = _Search(PieceBuilds(ctx), tuple(marks), error)
    piece = search.smallest() if is_of_model(search.builds.model, marks) else None
    return piece or Unbuildable(search.cutter.items, error, search.builds.model, marks=tuple(marks))


def fails_as_outputs(ctx: Context, found: Unbuildable) -> bool:
    """Whether a piece fails in the same way where its marks are outputs of the ONNX model itself."""
    if not found.marks or not is_of_model(found.piece, found.marks):
        return False
    builds, names = PieceBuilds(ctx), frozenset({*names_in(found.piece.graph)} - {""})
    outcome = builds.build(with_outputs(found.piece, found.marks), "the marks as outputs of the model")
    return bool(failure_keys(build_errors(outcome), names) & failure_keys([found.error], names))


def is_of_model(model: onnx.ModelProto, marks: Sequence[str]) -> bool:
    """Whether nodes of the top-level graph write all of these tensors; else some are the builder's own."""
    return GraphIndex(model).producer.keys() >= set(marks)


@dataclass
class _Search:
    """Pieces with the marks in them, at cheap settings for as long as the whole graph fails with these, too."""

    builds: PieceBuilds
    marks: tuple[str, ...]
    error: BuildError
    trials: PieceTrials = field(init=False)

    def __post_init__(self) -> None:
        self.builds.fast = not self.builds.ctx.candidate.deterministic
        self.trials = PieceTrials(self, self.cutter)
        self.trials.look_for([self.error])

    @cached_property
    def cutter(self) -> Cutter:
        model = self.builds.model
        return Cutter(model, tensor_types(model), self.builds.learn, self.builds.recall)

    def smallest(self) -> Unbuildable | None:
        """The smallest piece found that fails, at the user's options, too; None where there is no such piece."""
        nodes = self.trials.rest
        if self.trials.test(nodes) != "fail" and not self._fails_slowly(nodes):
            return None
        chosen = self.trials.smallest(nodes, self.builds.ctx.session.workers, _MOST_TRIALS).nodes
        return self._piece(chosen) if self._fails_slowly(chosen) else None

    def _piece(self, nodes: Sequence[str]) -> Unbuildable:
        """The piece of these nodes, which fails, with what is said of it."""
        outcome, needs = self.trials.outcome(nodes), self.cutter.needs(nodes)
        errors = build_errors(outcome) if outcome is not None else ()
        error = next(e for e in errors if self.trials.keys_of([e]) & self.trials.keys)
        piece = self.cutter.piece([*nodes, *needs])
        return Unbuildable(tuple(nodes), error, piece, needs=needs, marks=self.marks)

    def _fails_slowly(self, nodes: Sequence[str]) -> bool:
        """Whether it fails at the user's own options."""
        if self.builds.fast:
            self.builds.fast = False
            self.trials.forget()
        return self.trials.verdict(self.trials.outcome(nodes)) == "fail"

    # what `PieceTrials` builds with ---------------------------------------------------------------------------

    def build(self, piece: onnx.ModelProto, purpose: str) -> Outcome:
        """With the marks, and where that fails without them: it says nothing where that fails as well.

        A piece without the nodes that write the marks is as good as built: it is the marks that fail.
        """
        if not is_of_model(piece, self.marks):
            return Outcome("pass")
        self._tell_progress(piece, purpose)
        marked = self.builds.build(piece, purpose, self.marks)
        if marked.status == "pass":
            return marked
        plain = self.builds.build(piece, purpose)
        return marked if plain.status == "pass" else Outcome("untestable", reason=plain.reason)

    def build_ahead(self, pieces: Sequence[tuple[onnx.ModelProto, str]]) -> None:
        """Builds pieces, each with its purpose, with the marks."""
        held = [(piece, purpose) for piece, purpose in pieces if is_of_model(piece, self.marks)]
        for piece, purpose in held:
            self._tell_progress(piece, purpose)
        self.builds.build_ahead(held, self.marks)

    def _tell_progress(self, piece: onnx.ModelProto, purpose: str) -> None:
        message = f"{purpose}, {len(self.marks)} tensors marked"
        self.builds.ctx.report_progress(Progress("repro", message, len(piece.graph.node)))
