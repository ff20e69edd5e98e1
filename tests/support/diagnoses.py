"""Diagnoses for tests of reports: one with all parts, one with none."""

from __future__ import annotations

from dataclasses import replace

from trtdebug.core.case import BuildOptions, Case, Profile, Tolerance
from trtdebug.core.diagnosis import (
    BackendInfo,
    Culprit,
    Diagnosis,
    Divergence,
    Fix,
    ReproResult,
    StageTime,
    TrialCounts,
)
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import Knob, PinPrecision
from trtdebug.core.outcome import Signature

CASE = Case(
    model="/models/norm.onnx",
    sha256="ab" * 32,
    nodes=9,
    options=BuildOptions(precision="fp16", profiles={"x": Profile((1, 8), (4, 8), (16, 8))}),
    tolerance=Tolerance(),
    reference="onnxruntime",
    candidate="tensorrt",
    samples=("0", "1"),
    inputs_sha256="cd" * 32,
)


def plain(verdict: str = "matches") -> Diagnosis:
    """Nothing to tell."""
    return Diagnosis(
        verdict=verdict,  # type: ignore[arg-type]
        signature=None,
        reason="",
        rule="||c - r|| / ||r|| <= 0.01",
        reference=BackendInfo("onnxruntime", "1.23.2", "CPU"),
        candidate=BackendInfo("tensorrt", "8.6.0", "NVIDIA H200"),
        builds=2,
        failed_builds=0,
    )


def full(number: float = 0.5) -> Diagnosis:
    """Every part there; `number` wherever a measured number stands."""
    return replace(
        plain("diverges"),
        signature=Signature("mismatch", ("y",)),
        reason="y: relative RMS error 1 breaks ||c - r|| / ||r|| <= 0.01",
        failed_builds=1,
        first_divergence=Divergence("pow_out", "pow", "Pow", number, number, 3, number, number),
        culprits=(
            Culprit(("pow", "var"), "precision", "low together they fail, alone they do not"),
            Culprit(("mul", "add"), "unknown", "could not be built apart", proven=False),
        ),
        fixes=(
            Fix(
                "pin-precision",
                "keep 2 nodes in FP32",
                (PinPrecision(("pow", "var")), Knob("tf32", "off")),
                True,
                (5, 5),
                number,
                number,
            ),
        ),
        repro=ReproResult("/session/repro", 2, True),
        findings=(finding("output-constant"),),
        unknown=("3 nodes could not be observed",),
        stages=(StageTime("sanity", 1.5, 3),),
        trials=TrialCounts(12, 9, 3, 1, 20.5),
    )


def finding(rule: str, number: int = 0) -> Finding:
    return Finding(rule, "warning", f"message {number} of {rule}", f"node{number}", f"mitigation {number}")
