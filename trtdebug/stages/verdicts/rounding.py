"""What rounding alone does to the outputs: a second reference of higher, or of the candidate's own, precision.

In FP32 the reference rounds, too. Against itself in FP64 it shows by how much, and a candidate that is off by no
more than a few times of that is as good as the reference. In FP16 and BF16 the emulator shows what rounding at
the nodes' ends does: a candidate that is off by much more has something else wrong than its precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trtdebug.core.finding import Finding
from trtdebug.core.intervention import ForcePrecision
from trtdebug.core.outcome import Outcome
from trtdebug.graph.widen import widened
from trtdebug.oracle.ratio import RATIO, rounding_limit
from trtdebug.oracle.rejudge import rejudge
from trtdebug.oracle.verdict import judge
from trtdebug.session.job import Job, TensorRef
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.jobs import reference_again, with_model

IN_FP64 = "reference in FP64"
"""Purpose of the reference's run in double precision."""

_SCOPE = "float64"


Calibrated = tuple[tuple[Outcome, ...], tuple[Finding, ...]]
"""Outcomes by the limits that hold from now on, and what was found about the reference."""


def calibrated(ctx: Context, natural: tuple[Outcome, ...]) -> Calibrated:
    """Where FP32 builds break a default tolerance: gives `ctx` what the reference's own rounding explains.

    `reference-rounds` for outputs of which the reference itself keeps fewer digits than the default asks for.
    Changes nothing where the reference can't compute the model in FP64.
    """
    broken = {e.tensor for o in natural for e in o.tensors if e.status == "fail" and e.kind == "mismatch"}
    asked = [o for o in ctx.index.outputs if o in broken and ctx.is_default(o)]
    if ctx.case.options.precision != "fp32" or not asked:
        return natural, ()
    ctx.report_progress(Progress("sanity", "reference in FP64"))
    own = own_rounding(ctx, asked)
    own = {o: e for o, e in own.items() if rounding_limit(e, "fp32") > ctx.limits.rms}
    ctx.own_rounding.update(own)
    if not own:
        return natural, ()
    found = tuple(
        Finding(
            "reference-rounds",
            "warning",
            f"Output {o!r} of the reference in FP32 is off by {e:.2g} from the same in FP64: up to "
            f"{rounding_limit(e, 'fp32'):.2g} between two FP32 builds is rounding.",
            o,
            "The model amplifies rounding: compare with a looser --rms, or look at what it subtracts.",
        )
        for o, e in own.items()
    )
    return tuple(_rejudged(ctx, o) for o in natural), found


def own_rounding(ctx: Context, outputs: Sequence[str]) -> dict[str, float]:
    """Relative RMS error of the reference against itself in FP64, by output; without those that cannot be told."""
    return finite_errors(ctx.session.run(_wide_job(ctx, outputs)))


def _rejudged(ctx: Context, outcome: Outcome) -> Outcome:
    if not outcome.tensors:
        return outcome
    errors = tuple(rejudge(e, ctx.limits, len(ctx.case.samples)) for e in outcome.tensors)
    status, signature, reason = judge(errors)
    return replace(outcome, status=status, signature=signature, reason=reason, tensors=errors)


def emulated_rounding(ctx: Context, outcomes: Sequence[Outcome]) -> tuple[Finding, ...]:
    """`beyond-rounding` for finite outputs of the first failure that are off by far more than rounding makes them.

    Nothing where the candidate is the emulator, or the emulator can't run the model.
    """
    failed = next((o for o in outcomes if o.status == "fail"), Outcome("pass"))
    wrong = {e.tensor: e.rms_rel for e in failed.tensors if e.kind == "mismatch" and np.isfinite(e.rms_rel)}
    emulator = ctx.plugins.backends().get("emulator")
    if ctx.low is None or not wrong or emulator is None or ctx.candidate.name == emulator.name:
        return ()
    ctx.report_progress(Progress("sanity", f"{ctx.low.upper()} rounding emulated"))
    job = replace(
        reference_again(ctx, "rounding emulated", {o: o for o in ctx.index.outputs}),
        backend=emulator.name,
        version=ctx.maker(emulator.name),
        options=replace(ctx.case.options.for_reference, precision=ctx.low),
        interventions=(ForcePrecision(ctx.low),),
    )
    rounding = finite_errors(ctx.session.run(job))
    return tuple(
        Finding(
            "beyond-rounding",
            "warning",
            f"Output {o!r} is off by {e:.2g}; {ctx.low.upper()} rounding alone, emulated, makes {rounding[o]:.2g}: "
            "a kernel or a fusion is in doubt, not only the precision.",
            o,
            "Compare several builds (--builds), and see the tactics in the engine.",
        )
        for o, e in wrong.items()
        if o in rounding and e > max(RATIO[ctx.low] * rounding[o], ctx.limits.of(o).rms)
    )


def finite_errors(outcome: Outcome) -> dict[str, float]:
    """Relative RMS error by tensor, of those that are finite on both sides."""
    return {e.tensor: e.rms_rel for e in outcome.tensors if not e.nonfinite and np.isfinite(e.rms_rel)}


def _wide_job(ctx: Context, outputs: Sequence[str]) -> Job:
    store = ctx.session.tensors
    for sample in ctx.case.samples:
        for name in ctx.index.inputs:
            value = store.get(sample, TensorRef(name))
            wide = value.astype(np.float64) if value.dtype == np.float32 else value
            store.put(sample, TensorRef(name, _SCOPE), wide)
    again = reference_again(ctx, IN_FP64, {o: o for o in outputs})
    job = replace(again, feeds={n: TensorRef(n, _SCOPE) for n in ctx.index.inputs})
    return with_model(ctx, job, widened(ctx.model), "float64.onnx")
