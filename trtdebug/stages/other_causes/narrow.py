"""Narrow: between which tensors the candidate first goes wrong, by marking as few of them as it takes.

Marking a tensor keeps the builder from fusing across it, so every look may change what it looks at. Therefore
the least perturbing marks come first: tensors that the engine writes to memory anyhow, and a few frontiers between
them; then, within the bracket that they leave, finer ones. After each look the model's own outputs tell whether the
failure is still there. Where marks cure it, or can't be built, the model is cut off behind single tensors instead. But
what the model is cut off behind is an output then, and cured by that, too, where the fault is a fusion across it: so in
the end just what the suspects read is marked in the whole model.

Builds that are wrong by chance are right by chance, too: what passes is built again before it says anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from trtdebug.core.diagnosis import Culprit
from trtdebug.core.errors import UserError
from trtdebug.core.finding import Finding
from trtdebug.core.outcome import EngineInfo, Outcome, TensorError
from trtdebug.core.words import listed
from trtdebug.graph.index import GraphIndex
from trtdebug.session.job import Job
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.engines.flaky import engine_difference
from trtdebug.stages.other_causes.cut_off import cut_off
from trtdebug.stages.repeated import FEWEST, enough

_MARKS = 16
"""Tensors marked at once. A transformer builds with some frontiers marked, and not always with all tensors."""
_LOOKS = 8
_CUTS = 24
_CONFIRMED = 3
"""Times that what was found by cuts is looked at in the whole model."""
_NAMED = 3


@dataclass(frozen=True)
class Narrowed:
    """Where the candidate first goes wrong.

    Attributes:
        errors: of the tensors that were seen while the failure was there, in topological order.
        first: the first wrong one, None where not even that is known.
        nodes: the fault lies among them, in topological order: each leads to `first`, behind no tensor that agrees.
        cured_by: tensors whose marking made the failure go away; empty where nothing did.
        engine: the engine in which it was gone.
        unbuilt: why marks could not be built; empty where they could.
        only_cut: that what the nodes read agrees was only seen where the model ends there.
    """

    errors: dict[str, TensorError]
    first: TensorError | None
    nodes: tuple[str, ...]
    cured_by: tuple[str, ...] = ()
    engine: EngineInfo | None = None
    unbuilt: str = ""
    only_cut: bool = False


def narrow(ctx: Context, natural: Sequence[Outcome]) -> Narrowed:
    """Looks into the candidate as the user builds it.

    Args:
        natural: builds as the user does it, of which one is wrong.
    """
    failing = next(o for o in natural if o.status == "fail")
    search = _Narrowing(ctx, {e.tensor: e for e in failing.tensors}, tuple(natural))
    anyhow = [t for t in failing.engine.tensors if t in ctx.types] if failing.engine is not None else []
    for _ in range(_LOOKS):
        marks = search.next_marks(anyhow)
        if not marks or not search.look(marks):
            break
    search.cut_and_confirm()
    return search.answer()


def bracket(index: GraphIndex, wrong: str, agreeing: Collection[str]) -> tuple[str, ...]:
    """Nodes on the way to tensor `wrong` that lie behind no tensor of `agreeing`, in topological order.

    Those that only hold a constant compute nothing, and are not among them.
    """
    known = {*agreeing, *(t for node in index.nodes if node.op == "Constant" for t in node.writes)}
    found: set[str] = set()
    todo = [wrong]
    while todo:
        node = index.producer.get(todo.pop())
        if node is not None and node not in found:
            found.add(node)
            todo += [t for t in index.node(node).reads if t not in known]
    return tuple(sorted(found, key=index.position))


def spread(tensors: Sequence[str], count: int) -> list[str]:
    """At most `count` of the tensors, evenly spread, the ends left out where there are more."""
    if len(tensors) <= count:
        return list(tensors)
    step = len(tensors) / (count + 1)
    return [tensors[int(step * (i + 1))] for i in range(count)]


def suspected(found: Narrowed, switches: str = "") -> Culprit:
    """What was narrowed down, as a culprit: not shown to fail alone.

    Args:
        switches: global builder switches that make the difference, in words.
    """
    assert found.first is not None
    first, several = found.first, len(found.nodes) > 1
    evidence = f"{first.tensor} is the first tensor seen to differ ({first.reason}); "
    if several:
        evidence += "the tensors that these nodes read from outside agree"
    else:
        evidence += "what this node reads agrees"
    if found.only_cut:
        evidence += " where the model ends there"
    if found.cured_by:
        evidence += f"; with {_marked(found.cured_by)} the failure is gone, so it needs a fusion"
    if switches:
        evidence += f"; {switches} makes the difference"
    return Culprit(found.nodes, "fusion" if found.cured_by else "unknown", evidence, proven=False)


def heisenbug(found: Narrowed, failing: Outcome) -> Finding:
    """Looking at it cures it: says so, and what the engines do otherwise."""
    difference = engine_difference(failing.engine, found.engine, "the failing engine", "the one with marks")
    return Finding(
        "heisenbug",
        "warning",
        f"with {_marked(found.cured_by)} the failure is gone: {difference}",
        mitigation="It depends on what the builder fuses. Keeping such a tensor as an output is a way around it.",
    )


def _marked(tensors: Sequence[str]) -> str:
    outputs = "an output" if len(tensors) == 1 else "outputs"
    return f"{listed(tensors, _NAMED)} marked as {outputs}"


@dataclass
class _Narrowing:
    """Attributes:
    seen: builds of the whole model that tell how often one is wrong.
    """

    ctx: Context
    errors: dict[str, TensorError]
    seen: tuple[Outcome, ...]
    cured_by: tuple[str, ...] = ()
    engine: EngineInfo | None = None
    unbuilt: str = ""
    only_cut: bool = False
    _tried: set[str] = field(default_factory=set)

    def next_marks(self, anyhow: Sequence[str]) -> list[str]:
        """What to mark next: unseen tensors of the bracket, those that the engine writes anyhow first."""
        inside = self._inside()
        cheap = [t for t in inside if t in anyhow]
        marks = spread(cheap, _MARKS)
        others = [t for t in inside if t not in marks]
        return sorted((*marks, *spread(others, _MARKS - len(marks))), key=inside.index)

    def look(self, marks: list[str]) -> bool:
        """Builds with these tensors marked; whether the failure was still there to be seen."""
        self._tried.update(marks)
        self.ctx.report_progress(Progress("narrow", f"{len(marks)} tensors marked", len(self._nodes())))
        self.ctx.need_reference(marks)
        job = self.ctx.candidate_job("some tensors marked", outputs=marks)
        outcome = self._built(job, self._is_right, FEWEST)
        if not outcome.tensors:
            self.unbuilt = outcome.reason
            return False
        if self._is_right(outcome):
            unmarked = outcome.engine.unmarked if outcome.engine is not None else ()
            self.cured_by = tuple(t for t in marks if t not in unmarked)
            self.engine = outcome.engine
            return False
        self.errors |= {e.tensor: e for e in outcome.tensors}
        return True

    def _is_right(self, outcome: Outcome) -> bool:
        """Whether the model's own outputs are, whatever was marked."""
        own = [e for e in outcome.tensors if e.tensor in self.ctx.index.outputs]
        return bool(outcome.tensors) and all(e.status == "pass" for e in own)

    def _built(self, job: Job, passes: Callable[[Outcome], bool], at_least: int) -> Outcome:
        """The first build that does not pass; one that does where so many do that this is no matter of luck."""
        builds = enough(self.seen, at_least)
        jobs = [replace(job, repeat=number) for number in range(builds)]
        *passed, last = self.ctx.session.run_until(jobs, lambda outcome: not passes(outcome))
        if passed and not passes(last):
            self.seen += (*(replace(o, status="pass") for o in passed), last)
        return last

    def cut_and_confirm(self) -> None:
        """Cuts, where looks did not do; then looks at what the nodes that are left read, in the whole model.

        Where that is wrong there, it goes on before it.
        """
        if not (self.cured_by or self.unbuilt):
            return
        for _ in range(_CONFIRMED):
            self.cut()
            edge = self._edge()
            self.only_cut = bool(edge) and not self.look(edge)
            if not self.only_cut and self._edge() != edge:
                continue
            if self.cured_by and set(self.cured_by) <= {*edge}:
                # that they agree says nothing of an engine that fuses across them
                self.errors = {t: e for t, e in self.errors.items() if t not in self.cured_by}
                self.cut(self.cured_by)
            return

    def _edge(self) -> list[str]:
        """What the nodes that are left read from others."""
        nodes = self._nodes()
        written = {t for n in nodes for t in self.ctx.index.node(n).writes}
        read = dict.fromkeys(t for n in nodes for t in self.ctx.index.node(n).reads if t not in written)
        return [t for t in read if t in self.ctx.index.producer and t in self.ctx.types]

    def cut(self, but: Collection[str] = ()) -> None:
        """Bisects what is left by cutting the model off behind single tensors, but these: nothing behind them can fuse.

        Several workers also build what is cut off next after either answer: in each round all but one of them may do so
        in vain.
        """
        self._tried = {*but}
        ready: set[str] = set()
        for _ in range(_CUTS):
            tensor = self._middle()
            if tensor is None:
                return
            if tensor not in ready:
                fresh = [t for t in self._next() if t not in ready]
                self._prepare(fresh)
                ready.update(fresh)
            self._tried.add(tensor)
            error = self._error_behind(tensor)
            if error is not None:
                self.errors[tensor] = error

    def answer(self) -> Narrowed:
        order = [t for t in self.ctx.index.tensors if t in self.errors]
        errors = {t: self.errors[t] for t in order}
        return Narrowed(
            errors, self._first(), self._nodes(), self.cured_by, self.engine, self.unbuilt, self.only_cut
        )

    def _first(self) -> TensorError | None:
        return next((self.errors[t] for t in self.ctx.index.tensors if self._is(t, "fail")), None)

    def _nodes(self) -> tuple[str, ...]:
        first = self._first()
        agreeing = [t for t in self.errors if self._is(t, "pass")]
        return bracket(self.ctx.index, first.tensor, agreeing) if first is not None else ()

    def _inside(self) -> list[str]:
        """Tensors within the bracket that nobody tried to see yet, in topological order."""
        nodes = self._nodes()
        written = (t for n in nodes for t in self.ctx.index.node(n).writes)
        return [t for t in written if t in self.ctx.types and t not in self.errors and t not in self._tried]

    def _is(self, tensor: str, status: str) -> bool:
        return tensor in self.errors and self.errors[tensor].status == status

    def _middle(self) -> str | None:
        """The tensor behind which to cut next; None where there is nothing left to see."""
        inside = self._inside()
        return inside[len(inside) // 2] if inside else None

    def _next(self) -> list[str]:
        """What to cut off next, and then after either answer; so many as there are workers."""
        ahead, found = deque([self]), dict[str, None]()
        while ahead and len(found) < self.ctx.session.workers:
            known = ahead.popleft()
            if (tensor := known._middle()) is not None:
                found[tensor] = None
                ahead += (known._after(TensorError(tensor, status)) for status in ("pass", "fail"))
        return list(found)

    def _after(self, error: TensorError) -> _Narrowing:
        """What would be known with this one, too."""
        tensor = error.tensor
        return replace(self, errors=self.errors | {tensor: error}, _tried=self._tried | {tensor})

    def _prepare(self, tensors: Sequence[str]) -> None:
        self.ctx.report_progress(Progress("narrow", f"the model up to {tensors[0]}", len(self._nodes())))
        jobs = []
        for number, tensor in enumerate(tensors if len(tensors) > 1 else ()):
            with suppress(UserError):  # it matters only where this one is asked for
                jobs.append(cut_off(self.ctx, tensor, number))
        self.ctx.session.run_ahead(jobs)

    def _error_behind(self, tensor: str) -> TensorError | None:
        """Error of a tensor as the last output of the model up to it; None where that can't be had."""
        outcome = self._built(cut_off(self.ctx, tensor), lambda outcome: outcome.status == "pass", 1)
        return next((e for e in outcome.tensors if e.tensor == tensor and e.status != "untestable"), None)
