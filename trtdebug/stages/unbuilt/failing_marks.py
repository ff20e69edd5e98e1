"""Marks: the smallest set of tensors that cannot be outputs together, of a model that is built without marks.

Marking a tensor keeps the builder from fusing across it; for what is left of a block it may have no implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from trtdebug.core.build_error import BuildError, failure_keys
from trtdebug.core.diagnosis import Culprit
from trtdebug.core.intervention import EVERY_TENSOR, MarkOutputs
from trtdebug.core.outcome import Outcome
from trtdebug.graph.fresh import names_in
from trtdebug.search.smallest import OPPOSITE, smallest
from trtdebug.search.types import Subset, Verdict
from trtdebug.session.job import Job
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.unbuilt.piece_builds import build_errors

MAX_TRIALS = 120
"""Builds only, at the cheapest settings, some two seconds each; fifteen marks of 250 take about 75 of them."""


@dataclass(frozen=True)
class FailingMarks:
    """What the search for marks found; `unknown`: what it could not decide, one line each."""

    culprits: tuple[Culprit, ...]
    unknown: tuple[str, ...] = ()


def failing_marks(ctx: Context, errors: Sequence[BuildError]) -> FailingMarks | None:
    """A smallest set of the user's marks that is not built; None where the model is not built without marks either.

    One set, and not all there are: where a builder has no implementation for what is left of a block, nearly any mark
    in it may do.

    Args:
        errors: of the build with all marks.
    """
    builds = _MarkedBuilds(ctx, errors)
    plain = builds.build(())
    if plain.status != "pass":
        return None
    tensors = _tensors(ctx, plain)
    if builds.verdict(tensors) != "fail":
        builds.fast = False

    def chosen(marked: Subset) -> list[str]:
        return [t for i, t in enumerate(tensors) if i in marked]

    found = smallest(
        len(tensors),
        lambda marked: OPPOSITE[builds.verdict(chosen(marked))],
        max_trials=MAX_TRIALS,
        width=ctx.session.workers,
        prepare=lambda sets: builds.prepare([chosen(marked) for marked in sets]),
    )
    marks = chosen(found.items)
    rest = [t for t in tensors if t not in marks]
    unknown = [] if found.proven else [f"whether fewer than these {len(marks)} marks can't be built either"]
    if rest and (verdict := builds.verdict(rest)) != "pass":
        how = "are not built either" if verdict == "fail" else "fail in another way"
        unknown.append(f"the other {len(rest)} marks together {how}: there may be more such sets")
    return FailingMarks((_culprit(ctx, marks, builds, found.proven),), tuple(unknown))


@dataclass
class _MarkedBuilds:
    """Build-only trials of the whole model with tensors marked, at cheap settings for as long as these fail, too."""

    ctx: Context
    errors: Sequence[BuildError]
    fast: bool = field(init=False)
    said: dict[tuple[str, ...], BuildError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fast = not self.ctx.candidate.deterministic
        self._names = frozenset({*names_in(self.ctx.model.graph), *self.ctx.index.order} - {""})
        self._keys = failure_keys(self.errors, self._names)

    def prepare(self, sets: Sequence[Sequence[str]]) -> None:
        """Builds at once what may be asked for next: with several workers, all but one of them perhaps in vain."""
        self._tell_progress(max(len(marks) for marks in sets))
        self.ctx.session.run_ahead([self._job(marks) for marks in sets])

    def build(self, marks: Sequence[str]) -> Outcome:
        return self.ctx.session.run(self._job(marks))

    def verdict(self, marks: Sequence[str]) -> Verdict:
        """A build that fails otherwise than with all marks says nothing."""
        self._tell_progress(len(marks))
        outcome = self.build(marks)
        alike = [e for e in build_errors(outcome) if failure_keys([e], self._names) & self._keys]
        if alike:
            self.said[tuple(marks)] = alike[0]
            return "fail"
        return "pass" if outcome.status == "pass" else "untestable"

    def _job(self, marks: Sequence[str]) -> Job:
        job = self.ctx.candidate_job(f"{len(marks)} tensors marked, built only", [MarkOutputs(tuple(marks))])
        return replace(job, expected=None, build_only=True, fast=self.fast)

    def _tell_progress(self, marks: int) -> None:
        self.ctx.report_progress(Progress("localise", f"{marks} tensors marked, built only", marks))


def _tensors(ctx: Context, plain: Outcome) -> tuple[str, ...]:
    """What the user marks, tensor by tensor: where it is every one, as the backend lists them, or else the model's."""
    marks = ctx.case.options.marks
    if EVERY_TENSOR not in marks:
        return marks
    listed = plain.engine.markable if plain.engine is not None else ()
    return listed or tuple(t for t in ctx.index.tensors if t not in ctx.index.outputs)


def _culprit(ctx: Context, tensors: Sequence[str], builds: _MarkedBuilds, proven: bool) -> Culprit:
    nodes = tuple(dict.fromkeys(ctx.index.producer[t] for t in tensors if t in ctx.index.producer))
    error = builds.said.get(tuple(tensors))
    told = f": {error.message}" if error is not None else ""
    if len(tensors) == 1:
        evidence = f"with {tensors[0]} marked as an output, and nothing else, it is not built{told}"
    else:
        names = ", ".join(tensors)
        count = len(tensors)
        fewer = ", and not with fewer of them" if proven else ""
        evidence = f"with these {count} tensors marked{fewer}, it is not built: {names}{told}"
    return Culprit(nodes, "build", evidence, proven, error=error, tensors=tuple(tensors))
