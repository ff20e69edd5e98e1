"""Does a fix still hold: with this TensorRT, this export of the model, these inputs?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trtdebug.backends.base import Tensor
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import BreakFusion, Intervention, MarkOutputs, ReplaceGraph
from trtdebug.core.outcome import Outcome, TensorError
from trtdebug.export.manifest import FixManifest, TensorFile
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import content_sha256, load_skeleton
from trtdebug.graph.shapes import format_polygraphy
from trtdebug.oracle.verdict import largest_share
from trtdebug.session.job import TensorRef
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.opening.preflight import CaseRequest
from trtdebug.stages.verdicts.rounding import calibrated
from trtdebug.stages.verdicts.sanity import can_force
from trtdebug.stages.verdicts.steady import nondeterministic_reference

_AGAIN = "Find the fix anew for this model with `trtdebug fix`."


@dataclass(frozen=True)
class VerifyOptions:
    """What is to differ from the fix's own case; None = nothing.

    Attributes:
        model, candidate_model: another export, or where the same one lies here.
        plugins: paths of the plugin libraries, which may lie elsewhere here.
        operators: files that implement custom operators for the reference; they, too, may lie elsewhere.
    """

    model: Path | None = None
    candidate_model: Path | None = None
    inputs: Sequence[Path] | None = None
    builds: int | None = None
    candidate: str | None = None
    plugins: tuple[str, ...] | None = None
    operators: tuple[Path, ...] | None = None


@dataclass(frozen=True)
class Verified:
    """What came of it.

    Attributes:
        holds: all builds with the fix pass; None = not testable.
        needed: the model fails without the fix; None = not tried, or not testable.
        build: number of the build (from 1) that decided; `builds`: how many were to be made.
        reason: why it does not hold, or can't be tested; empty where it holds.
        outputs: of the build that decided.
        of_limit: of all builds, as in `Fix`.
        recorded: compared with the reference's outputs in the folder, not with a new run of it.
        version, device: of the candidate.
    """

    holds: bool | None
    needed: bool | None
    build: int
    builds: int
    reason: str
    outputs: tuple[TensorError, ...]
    recorded: bool
    version: str = ""
    device: str = ""
    of_limit: float | None = None


def case_request(folder: Path, manifest: FixManifest, given: VerifyOptions) -> CaseRequest:
    """The case in which the fix is to be verified.

    Raises:
        UserError: a model or the samples are not there, or a model is not one that the fix can be for.
    """
    case = manifest.case
    model = _model(folder, manifest, given.model)
    theirs = _candidate_model(manifest, given.candidate_model)
    _check_names(manifest, _rewritten(folder, manifest.rewritten) if manifest.rewritten else theirs or model)
    profiles = case.options.profiles
    low, opt, high = (
        format_polygraphy({name: getattr(p, which) for name, p in profiles.items()})
        for which in ("min", "opt", "max")
    )
    builds = given.builds or case.fix_builds
    return CaseRequest(
        model=model,
        options=_options(folder, manifest, given),
        tolerance=case.tolerance,
        reference=case.reference,
        candidate=given.candidate or case.candidate,
        candidate_model=theirs,
        inputs=given.inputs,
        samples=None if given.inputs is not None else read_samples(folder, manifest),
        min_shapes=low,
        opt_shapes=opt,
        max_shapes=high,
        seed=case.seed,
        builds=builds,
        fix_builds=builds,
        max_memory=case.max_memory,
        operators=given.operators or (),
    )


def _model(folder: Path, manifest: FixManifest, given: Path | None) -> Path:
    """The user's model. Raises `UserError` where it is not at hand, or another is given than the fix can be for."""
    if given is not None:
        if content_sha256(given) != manifest.case.sha256:
            _refuse_rewritten(manifest, given)
            if manifest.case.candidate_model:
                raise UserError(
                    f"the fix is for a candidate model of its own: it says nothing of {given}.",
                    "The candidate's is given by --candidate-model.",
                )
        return given
    recorded = Path(manifest.case.model)
    if recorded.is_file():
        return recorded
    if manifest.model and not manifest.rewritten and not manifest.apart:
        return folder / manifest.model
    raise UserError(f"the model of the fix, {recorded}, is not here.", "Say where it lies: --model FILE.")


def _candidate_model(manifest: FixManifest, given: Path | None) -> Path | None:
    """The candidate's own model, None where it has none."""
    recorded = manifest.case.candidate_model
    if given is not None:
        if recorded is None:
            raise UserError(
                "the fix is for one model, the reference's and the candidate's.",
                "Leave --candidate-model out; --model FILE takes another export.",
            )
        if content_sha256(given) != manifest.case.candidate_sha256:
            _refuse_rewritten(manifest, given)
        return given
    if recorded is not None and not Path(recorded).is_file():
        raise UserError(
            f"the candidate model of the fix, {recorded}, is not here.",
            "Say where it lies: --candidate-model FILE.",
        )
    return Path(recorded) if recorded is not None else None


def _refuse_rewritten(manifest: FixManifest, given: Path) -> None:
    """Raises `UserError` where the fix is a model, which another one can't have."""
    if manifest.rewritten:
        raise UserError(f"the fix is a rewritten model: it says nothing of {given}.", _AGAIN)


def _rewritten(folder: Path, graph: ReplaceGraph) -> Path:
    """The rewritten model. Raises `UserError` for another one: trials are known by the hash in fix.json."""
    path = folder / graph.model
    if not path.is_file():
        raise UserError(f"{folder} is damaged: {graph.model} is not there.", "Export the fix again.")
    if content_sha256(path) != graph.sha256:
        raise UserError(f"{path} is not the model that was exported.", "Export the fix again.")
    return path


def _check_names(manifest: FixManifest, model: Path) -> None:
    """Raises `UserError` where the model lacks what the fix names, or has another operator of that name."""
    index = GraphIndex(load_skeleton(model))
    nodes = {node.name: node.op for node in index.nodes}
    missing = [n for n in manifest.pins if n not in nodes]
    if missing:
        more = f" (nor {len(missing) - 1} more of the {len(manifest.pins)} pinned)" if missing[1:] else ""
        raise UserError(f"the new export {model.name} has no node {missing[0]!r}{more}.", _AGAIN)
    for node, operator in manifest.operators.items():
        if nodes.get(node, operator) != operator:  # the numbers in its exporter's names have moved on
            raise UserError(
                f"{node!r}, which the fix pins, is {nodes[node]} in {model.name}, and was {operator}.", _AGAIN
            )
    known = {*index.tensors, *index.inputs, *index.outputs}
    marked = [t for i in manifest.interventions if isinstance(i, MarkOutputs) for t in i.tensors]
    marked += [i.tensor for i in manifest.interventions if isinstance(i, BreakFusion)]
    own = manifest.case.options.marks  # the user's, which may name tensors of the builder's own network
    for tensor in marked:
        if tensor not in known and tensor not in own:
            raise UserError(f"the new export {model.name} has no tensor {tensor!r}.", _AGAIN)


def _options(folder: Path, manifest: FixManifest, given: VerifyOptions) -> BuildOptions:
    options = replace(manifest.case.options, profiles={})
    if given.plugins is not None:
        options = replace(options, plugins=given.plugins)
    if given.operators is not None:
        options = replace(options, operators=())
    if manifest.calibration is not None:
        options = replace(options, calibration_cache=str((folder / manifest.calibration).resolve()))
    return options


def read_samples(folder: Path, manifest: FixManifest) -> list[dict[str, Tensor]]:
    """The inputs that the folder holds. Raises `UserError` where it holds none, or damaged ones."""
    if not manifest.samples:
        raise UserError(f"{folder} holds no inputs: they were too large.", "Give them: --inputs FILE.")
    return [{t.name: _tensor(folder, t) for t in sample.inputs} for sample in manifest.samples]


def _tensor(folder: Path, file: TensorFile) -> Tensor:
    path = folder / file.file
    try:
        value: Tensor = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else "it is no .npy of numbers"
        raise UserError(
            f"{path}, the value of {file.name!r}, can't be read: {told}.", "Export again."
        ) from None
    if (
        not isinstance(value, np.ndarray)
        or tuple(value.shape) != file.shape
        or value.dtype.name != file.dtype
    ):
        raise UserError(f"{path} is not the value of {file.name!r} that was exported.", "Export again.")
    return value


def verify(ctx: Context, folder: Path, manifest: FixManifest, own_inputs: bool) -> Verified:
    """Builds with the fix, and where it holds, without it.

    Args:
        ctx: the open case of `case_request`.
        own_inputs: its samples are those of the folder.

    Raises:
        UserError: the folder is damaged.
    """
    recorded = own_inputs and ctx.case.sha256 == manifest.case.sha256
    builds = 1 if ctx.candidate.deterministic else ctx.case.fix_builds
    if recorded:
        _recall(ctx, folder, manifest)
    elif reason := _no_reference(ctx):
        return Verified(None, None, 0, builds, reason, (), recorded)
    interventions = manifest.in_folder(folder)
    beyond = sorted({type(i).__name__ for i in interventions} - ctx.candidate.realises)
    if beyond:
        reason = f"{ctx.candidate.name} cannot realise {', '.join(beyond)}"
        return Verified(None, None, 0, builds, reason, (), recorded)
    outcomes = _built(ctx, interventions, builds)
    decided = next((o for o in outcomes if o.status == "fail"), None)
    decided = decided or next((o for o in outcomes if o.status == "untestable"), outcomes[-1])
    holds = {"pass": True, "fail": False, "untestable": None}[decided.status]
    engine = decided.engine
    return Verified(
        holds=holds,
        needed=_needed(ctx, builds) if holds else None,
        build=outcomes.index(decided) + 1,
        builds=builds,
        reason=decided.reason,
        outputs=decided.tensors,
        recorded=recorded,
        version=engine.version if engine else "",
        device=engine.device if engine else "",
        of_limit=largest_share(outcomes) if holds else None,
    )


def _no_reference(ctx: Context) -> str:
    """Runs the reference. Why nothing can be compared with it: it can't run, or it contradicts itself; else empty."""
    try:
        ctx.record()
    except UserError as error:
        return str(error)
    unsteady = nondeterministic_reference(ctx)
    return f"{unsteady.message}. {unsteady.mitigation}" if unsteady is not None else ""


def _recall(ctx: Context, folder: Path, manifest: FixManifest) -> None:
    """Takes the reference's outputs from the folder. Raises `UserError` where one is not there."""
    for name, sample in zip(ctx.case.samples, manifest.samples, strict=True):
        lacking = set(ctx.index.outputs) - {file.name for file in sample.expected}
        if lacking:
            raise UserError(
                f"{folder} is damaged: sample {sample.name} lacks the expected value of {min(lacking)!r}.",
                "Export the fix again.",
            )
        for file in sample.expected:
            ctx.session.tensors.put(name, TensorRef(file.name), _tensor(folder, file))
    ctx.own_rounding.update(manifest.own_rounding)


def _built(ctx: Context, interventions: Sequence[Intervention], builds: int) -> list[Outcome]:
    """Fresh builds; the last one failed, or it is the last of all."""
    outcomes: list[Outcome] = []
    width = ctx.session.workers
    for start in range(0, builds, width):
        numbers = range(start, min(start + width, builds))
        which = f"build {start + 1}" if len(numbers) == 1 else f"builds {start + 1} to {numbers[-1] + 1}"
        ctx.report_progress(Progress("verify", f"{which} of {builds}"))
        jobs = [ctx.candidate_job("verify", interventions, repeat=number) for number in numbers]
        for built in ctx.session.run_all(jobs):
            (outcome,), _ = calibrated(ctx, (built,))
            outcomes.append(outcome)
            if outcome.status == "fail":
                return outcomes
    return outcomes


def _needed(ctx: Context, builds: int) -> bool | None:
    """Whether the model fails without the fix: forced into its low precision, or as the user builds it."""
    if can_force(ctx):
        ctx.report_progress(Progress("verify", f"without the fix, all in {(ctx.low or '').upper()}"))
        outcomes = [ctx.session.run(ctx.candidate_job("forced", ctx.exposing(ctx.items)))]
        builds = 1
    else:
        outcomes = []
    if all(o.status != "fail" for o in outcomes):
        ctx.report_progress(Progress("verify", f"without the fix, at most {builds} times"))
        jobs = [ctx.candidate_job("without the fix", ctx.as_built(), repeat=n) for n in range(builds)]
        outcomes += ctx.session.run_until(jobs, lambda outcome: outcome.status == "fail")
    if any(o.status == "fail" for o in outcomes):
        return True
    return None if any(o.status == "untestable" for o in outcomes) else False
