"""The repro of an open case: choose the piece, see it fail, export it, see it fail again in a fresh process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trtdebug.core.diagnosis import Culprit, ReproResult
from trtdebug.core.intervention import ForcePrecision
from trtdebug.core.outcome import Outcome
from trtdebug.graph.extract import extract
from trtdebug.graph.walk import fed_inputs
from trtdebug.repro.by_backend import is_standalone, verify_exported
from trtdebug.repro.export import export
from trtdebug.repro.nodes import choose_nodes, connect_nodes, with_readers
from trtdebug.repro.spec import ChosenFrom, ReproSpec, Verification
from trtdebug.session.job import ChoiceRef, Job, TensorRef
from trtdebug.stages.context import Context
from trtdebug.stages.jobs import with_model

_MOST_GENERATIONS = 4


def export_repro(
    ctx: Context, culprits: Sequence[Culprit], command: str, versions: Mapping[str, str]
) -> ReproResult:
    """Exports the first cluster of culprits into the session's repro/ folder and verifies it.

    Where that shows nothing, as where an epsilon vanishes by which something further down divides, with what reads it.
    """
    alone = [c.nodes[0] for c in culprits if len(c.nodes) == 1]
    nodes = choose_nodes(ctx.index, alone) if alone else connect_nodes(ctx.index, culprits[0].nodes)
    return export_nodes(
        ctx, _shown(ctx, nodes), ctx.session.folder / "repro", command, versions, only_failing=True
    )


def _shown(ctx: Context, nodes: tuple[str, ...]) -> tuple[str, ...]:
    """These nodes with as many generations of readers as it takes to fail; just these where a few are not enough."""
    piece = nodes
    for _ in range(_MOST_GENERATIONS + 1):
        outcome = _until_it_fails(ctx, _piece(ctx, piece)[2])
        if outcome.status == "fail":
            return piece
        larger = with_readers(ctx.index, piece)
        if outcome.status != "pass" or larger == piece:
            break
        piece = larger
    return nodes


def _until_it_fails(ctx: Context, job: Job) -> Outcome:
    """Of as many builds as the case takes to fail once, the first that does not pass; else the last one."""
    jobs = [replace(job, repeat=number) for number in range(ctx.recurrence.builds)]
    return ctx.session.run_until(jobs, lambda outcome: outcome.status != "pass")[-1]


def _verified(ctx: Context, folder: Path, sample: str) -> tuple[Verification, str]:
    """As `verify_exported`, again where builds differ; and what else there is to say."""
    for number in range(ctx.recurrence.builds):
        checked = verify_exported(ctx, folder, sample, number=number)
        if checked.reproduced is not False:
            break
    if not checked.reproduced:
        return checked, f"a fresh process says: {checked.output.strip()[-300:]}"
    if ctx.recurrence.always:
        return checked, ""
    return checked, f"it failed in run {number + 1}; builds differ, and not every run fails"


def export_nodes(
    ctx: Context,
    nodes: Sequence[str],
    folder: Path,
    command: str,
    versions: Mapping[str, str],
    only_failing: bool = False,
    max_size: int | None = None,
) -> ReproResult:
    """Exports these nodes with recorded inputs and the reference's outputs, and verifies the folder.

    Args:
        only_failing: write nothing where they pass. Else that is what the folder is to show: it is a unit test.
        max_size: bytes that the folder may take.

    Raises:
        UserError: the folder can't be written, or not as small as that; the reference can't run.
    """
    reads, writes, job = _piece(ctx, nodes)
    for sample in ctx.case.samples:
        outcome = _until_it_fails(ctx, replace(job, samples=(sample,)))
        if outcome.status == "fail":
            break
    if outcome.status == "fail" and not only_failing and (unsteady := _unsteady(ctx, job)):
        note = f"not written: the reference itself gives other values when it computes the piece again: {unsteady}"
        return ReproResult(str(folder), len(nodes), False, note, untestable=True)
    untestable = outcome.status == "untestable"
    if untestable or (only_failing and outcome.status != "fail"):
        found = "could not be tested" if untestable else "does not fail by itself"
        note = f"not written: the piece {found}: {outcome.reason or 'it passes'}"
        return ReproResult(str(folder), len(nodes), False, note, untestable=untestable)
    limits = ctx.limits.of(writes[0]) if len(writes) == 1 else ctx.limits
    recorded = [
        *reads,
        *(t for n in nodes for t in ctx.index.node(n).writes),  # the ones within tell their types
        *(choice.values.tensor for choice in job.choices.values()),
    ]
    paths = {
        t: ctx.session.tensors.path(sample, TensorRef(t))
        for t in recorded
        if ctx.session.tensors.has(sample, TensorRef(t))
    }
    spec = ReproSpec(
        model=Path(ctx.case.model),
        nodes=tuple(nodes),
        inputs=paths,
        expected={t: paths[t] for t in writes},
        signature=outcome.signature,
        limit=limits.rms,
        atol=limits.atol,
        rtol=limits.rtol,
        precision=ctx.case.options.precision,
        candidate=ctx.case.candidate,
        options=replace(ctx.case.options, profiles={}),
        versions=versions,
        command=command,
        max_size=max_size,
        choices={t: _chosen_from(ctx, c) for t, c in job.choices.items() if c.values.tensor in paths},
    )
    repro = export(spec, folder)
    checked, note = _verified(ctx, folder, sample)
    return ReproResult(
        str(repro.path),
        repro.nodes,
        checked.reproduced is True,
        note,
        passes=outcome.signature is None,
        untestable=checked.reproduced is None,
        standalone=is_standalone(spec.candidate),
    )


def _chosen_from(ctx: Context, choice: ChoiceRef) -> ChosenFrom:
    limits = ctx.limits.of(choice.values.tensor)
    return ChosenFrom(
        choice.values.tensor, choice.axis, choice.keepdims, limits.widest_rms, limits.atol, limits.rtol
    )


def _unsteady(ctx: Context, job: Job) -> str:
    """What differs where the reference computes the piece of a trial again; empty where nothing does."""
    again = replace(
        ctx.reference_job(),
        purpose="the repro's piece, by the reference",
        model=job.model,
        model_sha256=job.model_sha256,
        feeds=job.feeds,
        expected=job.expected,
        choices=job.choices,
        outputs=None,
        keep="none",
        record=False,
        fresh_process=True,
    )
    outcome = ctx.session.run(again)
    return outcome.reason if outcome.status == "fail" else ""


def _piece(ctx: Context, nodes: Sequence[str]) -> tuple[list[str], list[str], Job]:
    """What the piece reads and writes, and the trial of the piece by itself in the candidate."""
    piece = extract(ctx.model, nodes, ctx.types)
    reads = [i.name for i in fed_inputs(piece.graph)]
    writes = [o.name for o in piece.graph.output]
    ctx.reference([t for t in (*reads, *writes) if t in ctx.index.producer])
    job = replace(
        ctx.candidate_job("the repro's piece", (ForcePrecision(ctx.low),) if ctx.low else ()),
        options=replace(ctx.case.options, profiles={}),
        feeds={t: TensorRef(t) for t in reads},
        expected={t: TensorRef(t) for t in writes},
        choices={t: ctx.choices[t] for t in writes if t in ctx.choices},
    )
    return reads, writes, with_model(ctx, job, piece, "piece.onnx")
