"""Which error an output may have. The rule that was used is written out in every report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from trtdebug.core.case import BuildOptions, OutputTolerance, Tolerance

DEFAULT_RMS = {"fp32": 1e-5, "tf32": 1e-3, "fp16": 1e-2, "bf16": 8e-2, "int8": 1e-1}
"""Relative RMS error ||c - r|| / ||r|| that a healthy engine of a precision keeps (FP16: 1e-2 = 40 dB SQNR).
On an H200, healthy FP16 engines lie at 1e-5 to 3e-3 and broken ones near 1."""

NEGLIGIBLE = 1e-6
"""Errors below this fraction of the tensor's largest magnitude never fail the default rule."""

MOST_ROUNDING = 0.1
"""A reference whose own rounding may be larger than this has no digits to compare with."""


ELEMENT_RULE = "|c - r|"
"""How the element rule starts, in words."""


@dataclass(frozen=True)
class OutputLimits:
    """The limits of one output, as `Limits` has them for all; None = those of all."""

    rms: float | None = None
    atol: float | None = None
    rtol: float | None = None
    rounding: float | None = None


@dataclass(frozen=True)
class Limits:
    """A resolved tolerance: either the element rule (atol, rtol) or the RMS rule (rms).

    Attributes:
        atol, rtol: |c - r| <= atol + rtol * |r| for every element; None unless the user gave one of them.
        rms: allowed ||c - r|| / ||r||.
        rounding: relative RMS error that is no more than the reference's own rounding explains; 0 = not known.
        outputs: by output name, what differs from the rest; see `of`.
        own: these limits were given for one output by its name.
    """

    rms: float
    atol: float | None = None
    rtol: float | None = None
    rounding: float = 0.0
    outputs: dict[str, OutputLimits] = field(default_factory=dict)
    own: bool = False

    @property
    def elementwise(self) -> bool:
        return self.atol is not None or self.rtol is not None

    @property
    def widest_rms(self) -> float:
        """The relative RMS error that passes: `rms`, or what the reference's own rounding explains."""
        return max(self.rms, self.rounding if self.trusts_rounding else 0.0)

    @property
    def trusts_rounding(self) -> bool:
        """Whether errors up to `rounding` are a pass, and not unknown."""
        return self.rounding <= MOST_ROUNDING

    def of(self, output: str) -> Limits:
        """The limits of one output, by its exact name."""
        special = self.outputs.get(output)
        if special is None:
            return replace(self, outputs={}) if self.outputs else self
        rounding = self.rounding if special.rounding is None else special.rounding
        if special.atol is not None or special.rtol is not None:
            # one part by name and the other for all: both hold, as in polygraphy and numpy
            atol = self.atol if special.atol is None else special.atol
            rtol = self.rtol if special.rtol is None else special.rtol
            return Limits(self.rms, atol or 0.0, rtol or 0.0, rounding, own=True)
        if special.rms is not None:
            return Limits(special.rms, rounding=rounding, own=True)
        return replace(self, rounding=rounding, outputs={})

    def renamed(self, names: Mapping[str, str]) -> Limits:
        """The same for outputs that have other names: new name -> the name that these limits know."""
        outputs = {new: self.outputs[old] for new, old in names.items() if old in self.outputs}
        return replace(self, outputs=outputs)

    def element_rule(self) -> str:
        return f"{ELEMENT_RULE} <= {self.atol or 0.0:g} + {self.rtol or 0.0:g} * |r|"

    def rms_rule(self) -> str:
        if self.rounding > self.rms:
            return f"||c - r|| / ||r|| <= {self.rounding:.3g} (what the reference's own rounding explains)"
        return f"||c - r|| / ||r|| <= {self.rms:g}"

    def describe(self) -> str:
        """The rule in words, for reports."""
        own = (f"{name}: {self.of(name).describe()}" for name in self.outputs)
        return "; ".join((self.element_rule() if self.elementwise else self.rms_rule(), *own))


def limits(tolerance: Tolerance, options: BuildOptions) -> Limits:
    """The limits for a case: what the user gave, else the default of the precision (and of TF32)."""
    outputs = {name: _of_output(t) for name, t in tolerance.outputs.items()}
    if tolerance.atol is not None or tolerance.rtol is not None:
        atol, rtol = tolerance.atol or 0.0, tolerance.rtol or 0.0
        return Limits(default_rms(options), atol, rtol, outputs=outputs)
    rms = tolerance.rms_rel if tolerance.rms_rel is not None else default_rms(options)
    return Limits(rms, outputs=outputs)


def _of_output(tolerance: OutputTolerance) -> OutputLimits:
    return OutputLimits(tolerance.rms_rel, tolerance.atol, tolerance.rtol)


def default_rms(options: BuildOptions) -> float:
    """Default relative RMS limit of the build options."""
    if options.precision == "fp32":
        return DEFAULT_RMS["tf32" if options.tf32 else "fp32"]
    return DEFAULT_RMS[options.precision]
