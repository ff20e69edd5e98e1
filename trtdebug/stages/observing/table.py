"""The layer table: every tensor that both sides have, in topological order, with both of its errors."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trtdebug.core.finding import Finding
from trtdebug.core.outcome import Outcome, TensorError
from trtdebug.stages.context import Context
from trtdebug.stages.observing.observe import observe
from trtdebug.stages.observing.propagate import propagate
from trtdebug.stages.verdicts.rounding import calibrated
from trtdebug.stages.verdicts.sanity import as_built_job, can_force
from trtdebug.stages.verdicts.steady import nondeterministic_reference


@dataclass(frozen=True)
class Row:
    """One tensor. `local` is None where the node was not, or could not be, observed by itself."""

    tensor: str
    node: str
    op: str
    propagated: TensorError
    local: TensorError | None


@dataclass(frozen=True)
class Table:
    """The comparison layer by layer.

    Attributes:
        outcome: of the build in which every tensor is an output.
        plain: of the build as the user makes it; its verdict is the command's.
        unmatched: the reference's tensors that the candidate's own model lacks, as in `Propagated`.
        findings: what was found about the reference.
    """

    rows: tuple[Row, ...]
    outcome: Outcome
    plain: Outcome
    unmatched: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def unmarked(self) -> tuple[str, ...]:
        """Tensors that cannot be outputs of the candidate's engine: shapes, constants, what lies within a loop."""
        return self.outcome.engine.unmarked if self.outcome.engine is not None else ()

    @property
    def is_changed(self) -> bool:
        """The model's own outputs are right in one of the two builds, and wrong in the other."""
        built, marked = ({e.tensor: e.status for e in o.tensors} for o in (self.plain, self.outcome))
        both = built.keys() & marked.keys()
        return bool(both) and any(built[t] == "fail" for t in both) != any(marked[t] == "fail" for t in both)


def layer_table(ctx: Context, profile_runs: int = 0) -> Table:
    """Compares layer by layer: the whole candidate with every tensor marked, and each node by itself.

    Of a serialized engine only its outputs can be had; of two models no node is looked at by itself. Where two runs of
    the reference differ, nothing is compared.

    Args:
        profile_runs: inferences for the time of each layer of the build as the user makes it; 0 = not measured.
    """
    ctx.record()
    unsteady = nondeterministic_reference(ctx)
    if unsteady is not None:
        nothing = Outcome("untestable", reason=unsteady.message)
        return Table((), nothing, nothing, (), (unsteady,))
    built = ctx.session.run(replace(as_built_job(ctx), profile_runs=profile_runs))
    (plain,), findings = calibrated(ctx, (built,))
    if ctx.candidate_is_engine:
        return Table(_output_rows(ctx, plain), plain, plain, (), findings)
    propagated = propagate(ctx)
    observed = observe(ctx).local if can_force(ctx) else {}
    rows = []
    for tensor, error in propagated.errors.items():
        node = ctx.index.producer[tensor]
        local = observed.get(node)
        own = local.error if local and local.error.tensor == tensor else None
        rows.append(Row(tensor, node, ctx.index.node(node).op, error, own))
    return Table(tuple(rows), propagated.outcome, plain, propagated.unmatched, findings)


def _output_rows(ctx: Context, plain: Outcome) -> tuple[Row, ...]:
    producer = ctx.index.producer
    return tuple(
        Row(e.tensor, producer[e.tensor], ctx.index.node(producer[e.tensor]).op, e, None)
        for e in plain.tensors
        if e.tensor in producer
    )
