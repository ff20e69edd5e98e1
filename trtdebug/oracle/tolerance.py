"""Which error an output may have. The rule that was used is written out in every report."""

from __future__ import annotations

from dataclasses import dataclass

from trtdebug.core.case import BuildOptions, Tolerance

DEFAULT_RMS = {"fp32": 1e-5, "tf32": 1e-3, "fp16": 1e-2, "bf16": 8e-2, "int8": 1e-1}
"""Relative RMS error ||c - r|| / ||r|| that a healthy engine of a precision keeps (FP16: 1e-2 = 40 dB SQNR).
On an H200, healthy FP16 engines lie at 1e-5 to 3e-3 and broken ones near 1."""

NEGLIGIBLE = 1e-6
"""Errors below this fraction of the tensor's largest magnitude never fail the default rule."""


@dataclass(frozen=True)
class Limits:
    """A resolved tolerance: either the element rule (atol, rtol) or the RMS rule (rms).

    Attributes:
        atol, rtol: |c - r| <= atol + rtol * |r| for every element; None unless the user gave one of them.
        rms: allowed ||c - r|| / ||r||.
    """

    rms: float
    atol: float | None = None
    rtol: float | None = None

    @property
    def elementwise(self) -> bool:
        return self.atol is not None or self.rtol is not None

    def describe(self) -> str:
        """The rule in words, for reports."""
        if self.elementwise:
            return f"|c - r| <= {self.atol or 0.0:g} + {self.rtol or 0.0:g} * |r|"
        return f"||c - r|| / ||r|| <= {self.rms:g}"


def limits(tolerance: Tolerance, options: BuildOptions) -> Limits:
    """The limits for a case: what the user gave, else the default of the precision (and of TF32)."""
    if tolerance.atol is not None or tolerance.rtol is not None:
        return Limits(rms=default_rms(options), atol=tolerance.atol or 0.0, rtol=tolerance.rtol or 0.0)
    return Limits(rms=tolerance.rms_rel if tolerance.rms_rel is not None else default_rms(options))


def default_rms(options: BuildOptions) -> float:
    """Default relative RMS limit of the build options."""
    if options.precision == "fp32":
        return DEFAULT_RMS["tf32" if options.tf32 else "fp32"]
    return DEFAULT_RMS[options.precision]
