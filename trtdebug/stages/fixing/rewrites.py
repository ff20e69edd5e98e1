"""Rewritten models: kept in the session by their content, and proven before any candidate builds them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from trtdebug.core.intervention import ReplaceGraph
from trtdebug.core.outcome import Outcome, TensorError
from trtdebug.graph.load import content_sha256, parse_model, save_model
from trtdebug.graph.types import value_type, without_weights
from trtdebug.graph.walk import all_tensors, fed_inputs
from trtdebug.oracle.indices import CHOICE_RULE
from trtdebug.oracle.ratio import rounding_limit
from trtdebug.oracle.rules import EQUAL as WHOLE
from trtdebug.oracle.tolerance import NEGLIGIBLE, Limits, OutputLimits
from trtdebug.plugins.types import FixProposal
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.jobs import reference_again
from trtdebug.stages.verdicts.rounding import own_rounding

EQUAL = Limits(rms=0.0)
"""No element is off by more than `NEGLIGIBLE` of its tensor's scale; NaN and Inf stand at the same places.

Indices (ArgMax, TopK) may differ where the values that they choose are that near.
"""


@dataclass(frozen=True)
class Proof:
    """What is known of a rewritten model before the candidate builds it as the user does.

    Attributes:
        reason: why it is not tried; empty where it is.
        untestable: it could not be compared, so whether it would help is not known.
        note: how far it was found to be equal.
        built: the candidate built an engine of it, by force.
    """

    reason: str = ""
    untestable: bool = False
    note: str = ""
    built: bool = False


def keep_model(ctx: Context, model: onnx.ModelProto) -> ReplaceGraph:
    """Saves a rewritten model in the session, under a name made of its content."""
    path = ctx.session.folder / "work" / "rewrites" / f"{_digest(model)[:16]}.onnx"
    if not path.exists():
        save_model(model, path)
    return ReplaceGraph(str(path), content_sha256(path))


def prove(ctx: Context, proposal: FixProposal) -> Proof:
    """Whether the reference gives the same for a proposal's rewritten model.

    A proposal without such a model needs no proof. Its outputs have the names, types and order of the case's model, and
    on every sample the same values: up to 1e-6 of their scale, or up to what the reference's own rounding explains;
    indices by the values that they choose.
    A model with its own low precision written into it has to stay within the case's tolerance.
    """
    graph = next((i for i in proposal.interventions if isinstance(i, ReplaceGraph)), None)
    if graph is None:
        return Proof()
    differing = _different_ends(ctx.model.graph, parse_model(Path(graph.model)).graph)
    if differing:
        return Proof(f"the rewritten model's {differing} differ from the model's")
    return _equal(ctx, graph, ctx.limits if proposal.rounds else EQUAL)


def _digest(model: onnx.ModelProto) -> str:
    digest = hashlib.sha256(without_weights(model).SerializeToString(deterministic=True))
    for tensor in all_tensors(model):
        digest.update(tensor.SerializeToString(deterministic=True))
    return digest.hexdigest()


def _different_ends(ours: onnx.GraphProto, theirs: onnx.GraphProto) -> str:
    """ "inputs" or "outputs", where names or element types of these are not the same; else empty."""
    if list(map(_end, fed_inputs(ours))) != list(map(_end, fed_inputs(theirs))):
        return "inputs"
    return "outputs" if list(map(_end, ours.output)) != list(map(_end, theirs.output)) else ""


def _end(value: onnx.ValueInfoProto) -> tuple[str, str]:
    type_ = value_type(value)
    return value.name, type_.dtype if type_ is not None else ""


def _equal(ctx: Context, graph: ReplaceGraph, limits: Limits) -> Proof:
    ctx.report_progress(Progress("fix", "the rewritten model on the reference"))
    again = reference_again(ctx, "reference of the rewritten model", {o: o for o in ctx.index.outputs})
    job = replace(again, model=graph.model, model_sha256=graph.sha256, limits=limits)
    outcome = ctx.session.run(job)
    if outcome.signature is not None and outcome.signature.kind == "build-failure":
        return Proof(f"the reference cannot run the rewritten model: {outcome.reason}", untestable=True)
    off = _off(outcome)
    rounding = _explained(ctx, off)
    if nearer := _chosen_from(ctx, off) & rounding.keys():
        known = {
            t: replace(limits.outputs.get(t, OutputLimits()), rounding=rounding[t]) for t in sorted(nearer)
        }
        outcome = ctx.session.run(replace(job, limits=replace(limits, outputs=limits.outputs | known)))
        off = _off(outcome)
    wrong = [e for e in off if not (e.kind == "mismatch" and e.rms_rel <= rounding.get(e.tensor, 0.0))]
    if wrong or not outcome.tensors:
        return Proof(_unequal(outcome, wrong), untestable=all(e.status != "fail" for e in wrong))
    return Proof(note=_note(ctx, outcome, rounding))


def _off(outcome: Outcome) -> list[TensorError]:
    return [e for e in outcome.tensors if e.status != "pass"]


def _explained(ctx: Context, off: list[TensorError]) -> Mapping[str, float]:
    """Relative RMS error that the reference's own rounding explains, where that can be told.

    By output, and by tensor that indices were chosen from: for these themselves nothing is explained by rounding.
    """
    asked = [e.tensor for e in off if e.kind == "mismatch" and not _is_choice(ctx, e)]
    asked += sorted(_chosen_from(ctx, off) & ctx.index.producer.keys() - set(asked))
    own = own_rounding(ctx, asked) if asked else {}
    return {tensor: rounding_limit(error, "fp32") for tensor, error in own.items()}


def _chosen_from(ctx: Context, off: list[TensorError]) -> set[str]:
    return {ctx.choices[e.tensor].values.tensor for e in off if _is_choice(ctx, e)}


def _is_choice(ctx: Context, error: TensorError) -> bool:
    """Whether whole numbers were compared that are indices of values, see `Job.choices`."""
    return error.tensor in ctx.choices and error.rule.startswith(WHOLE)


def _unequal(outcome: Outcome, wrong: list[TensorError]) -> str:
    if not wrong:
        return f"the reference gives nothing to compare for the rewritten model: {outcome.reason}"
    worst = wrong[0]
    if worst.kind != "mismatch" or worst.rule.startswith(WHOLE):
        said = worst.reason
    else:
        said = f"off by {worst.max_rel:.2g} of its scale, relative RMS error {worst.rms_rel:.2g}"
    return (
        f"the rewritten model is another one: on the reference its output {worst.tensor!r} differs ({said})"
    )


def _note(ctx: Context, outcome: Outcome, rounding: Mapping[str, float]) -> str:
    samples = f"{len(ctx.case.samples)} sample{'s' if len(ctx.case.samples) > 1 else ''}"
    chosen = [e.tensor for e in outcome.tensors if e.rule.startswith(CHOICE_RULE)]
    largest = max((e.max_rel for e in outcome.tensors if e.tensor not in chosen), default=0.0)
    note = f"equal on the reference on {samples} up to {largest:.1g} of the scale"
    if any(e.max_rel > NEGLIGIBLE for e in outcome.tensors if e.tensor in rounding):
        note += ", which its own rounding explains"
    others = f"; of near-equal values others are chosen in {', '.join(map(repr, chosen))}"
    return f"{note}{others if chosen else ''}"
