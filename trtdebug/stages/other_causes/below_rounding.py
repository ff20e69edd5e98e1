"""Tolerances that no build in the precision can keep: one rounding of the right answer breaks them.

Rounding a number to nearest moves it by up to u times itself, u the unit roundoff: 2^-11 in FP16 and TF32, 2^-8 in
BF16 (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Theorem 2.2). So the reference's own outputs are
rounded once, to the precision's digits whatever their size, and judged by the case's rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trtdebug.core.finding import Finding
from trtdebug.core.intervention import Knob, LowPrecision
from trtdebug.core.outcome import Signature, TensorError
from trtdebug.graph.digits import split
from trtdebug.oracle.compare import compare
from trtdebug.oracle.conditioning import ROUNDOFF
from trtdebug.oracle.tolerance import DEFAULT_RMS
from trtdebug.oracle.verdict import worst
from trtdebug.stages.context import Context
from trtdebug.stages.other_causes.axes import offered_knobs


@dataclass(frozen=True)
class _Precision:
    """What the candidate rounds to.

    Attributes:
        digits: a precision that keeps as many.
        without: how to build without it.
    """

    name: str
    digits: LowPrecision
    without: str


def below_rounding(ctx: Context, signature: Signature | None) -> tuple[Finding, ...]:
    """`tolerance-below-rounding` for the outputs of a failure whose tolerance is broken by one rounding alone."""
    precision = _precision(ctx)
    if precision is None or signature is None:
        return ()
    asked = [o for o in signature.outputs if o in ctx.index.outputs]
    errors = worst(_rounded_once(ctx, o, s, precision.digits) for s in ctx.case.samples for o in asked)
    return tuple(_finding(e, precision) for e in errors if e.status == "fail")


def _precision(ctx: Context) -> _Precision | None:
    """None where it is not known that the candidate rounds to anything less than FP32."""
    if ctx.low is not None:
        return _Precision(ctx.low, ctx.low, f"without --{ctx.low}")
    if ctx.case.options.precision == "fp32" and Knob("tf32", "off") in offered_knobs(ctx):
        return _Precision("tf32", "fp16", "with --no-tf32")
    return None


def _rounded_once(ctx: Context, output: str, sample: str, digits: LowPrecision) -> TensorError:
    exact = ctx.reference([output], sample)[output]
    wide = exact.dtype in (np.float32, np.float64)
    return compare(output, exact, split(exact, digits) if wide else exact, ctx.limits)


def _finding(error: TensorError, precision: _Precision) -> Finding:
    name, roundoff = precision.name.upper(), ROUNDOFF[precision.digits]
    return Finding(
        "tolerance-below-rounding",
        "warning",
        f"The tolerance of output {error.tensor!r} lies below one rounding of {name}, which moves a number by up to "
        f"{roundoff:.2g} of itself: so rounded, the reference's own values are off by {error.rms_rel:.2g} (relative "
        f"RMS) and break {error.rule}.",
        error.tensor,
        f"Give a tolerance that {name} keeps (its default is --rms {DEFAULT_RMS[precision.name]:g}), or build "
        f"{precision.without}.",
    )
