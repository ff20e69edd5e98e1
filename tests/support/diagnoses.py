"""Diagnoses for tests of reports: one with all parts, one with none, and any at random."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from trtdebug.core.case import BuildOptions, Case, Profile, Tolerance
from trtdebug.core.diagnosis import (
    BackendInfo,
    Culprit,
    Diagnosis,
    Divergence,
    ExtensionInfo,
    Fix,
    Latency,
    OutputVerdict,
    ReproResult,
    StageTime,
    TrialCounts,
)
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import Knob, PinPrecision
from trtdebug.core.outcome import Signature, TensorError

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
                latency_ms=Latency(1.0, number, 2.0),
                of_limit=0.8,
            ),
        ),
        repro=ReproResult("/session/repro", 2, True),
        findings=(finding("output-constant"),),
        unknown=("3 nodes could not be observed",),
        stages=(StageTime("sanity", 1.5, 3),),
        trials=TrialCounts(12, 9, 3, 1, 20.5),
        outputs=(
            OutputVerdict("as built 1", "0", TensorError("y", "pass", rms_rel=number, elements=8)),
            OutputVerdict("as built 1", "1", TensorError("y", "fail", kind="mismatch", reason="y is off")),
            OutputVerdict("forced", "0", TensorError("y", "untestable", reason="could not be built")),
        ),
        trtdebug="0.1.0",
        extensions=(ExtensionInfo("trtdebug-layernorm", "1.2"),),
    )


def finding(rule: str, number: int = 0) -> Finding:
    return Finding(rule, "warning", f"message {number} of {rule}", f"node{number}", f"mitigation {number}")


EVIL_NAMES = (
    "<script>alert(1)</script>",
    "<img src=x onerror=\"alert('1')\">",
    "]]><!-- --> &amp; &lt; \"quoted\" 'single'",
    "[click](javascript:alert(1)) ![x](http://a/b) <http://c>",
    "`code` ``two`` ```",
    "| a | b |\n|---|---|",
    "@someone #1 {0} {node} %s $(touch x) `touch y`; rm -rf ~",
    "../../etc/passwd",
    "..\\..\\windows\\system32",
    "/absolute/path:0",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b2J",
    "line\r\nbreak\u2028\x00\x0b\t",
    " spaces ",
    "größe/张量:0 \u202egnp \ufffe \U0001f600",
    "n" * 4000,
    "half \ud800 a pair",
)
"""What no format may stumble over, be it the name of a node, a tensor or a file, or a message."""


def names() -> st.SearchStrategy[str]:
    """Names of all kinds, none empty."""
    return st.sampled_from(EVIL_NAMES) | st.text(min_size=1, max_size=30)


@st.composite
def diagnoses(draw: st.DrawFn) -> tuple[Case, Diagnosis]:
    """Cases and diagnoses with any parts there or not, and any names: few enough of each to be shown by all formats."""
    numbers = st.sampled_from((0.0, 0.5, 1e-30, float("inf"), float("nan")))
    name, number = (lambda: draw(names())), (lambda: draw(numbers))
    verdict = draw(st.sampled_from(("matches", "fragile", "diverges", "untestable")))
    nodes = draw(st.lists(names(), unique=True, max_size=6))
    kinds = st.sampled_from(("precision", "tactic", "fusion", "build", "unknown"))
    culprits = tuple(
        Culprit(
            tuple(part),
            draw(kinds),
            name(),
            draw(st.booleans()),
            draw(st.sampled_from(((), (name(),)))),
            tensors=draw(st.sampled_from(((), (name(),)))),
        )
        for part in (nodes[:1], nodes[1:3], nodes[3:6])
        if part
    )
    failed = verdict in ("fragile", "diverges")
    divergence = Divergence(
        name(), draw(st.none() | names()), draw(st.none() | names()), number(), number(), 3, None, number()
    )
    findings = st.builds(
        Finding, names(), st.sampled_from(("error", "warning", "info")), names(), names(), names()
    )
    sample = st.sampled_from(("", "s0"))
    outputs = (
        OutputVerdict("as built 1", draw(sample), TensorError(name(), status, number(), rule=name()))
        for status in draw(st.lists(st.sampled_from(("pass", "fail", "untestable")), max_size=3))
    )
    case = replace(CASE, model=f"/{name()}", command=draw(st.just("") | names()))
    diagnosis = replace(
        plain(verdict),
        signature=Signature("mismatch", (name(),)) if failed else None,
        reason=name() if verdict != "matches" else "",
        rule=name(),
        candidate=BackendInfo(name(), name(), name()),
        first_divergence=draw(st.none() | st.just(divergence)),
        culprits=culprits if verdict != "matches" else (),
        fixes=draw(st.sampled_from(((), (Fix("pin", name(), (PinPrecision((name(),)),), True, (2, 2)),)))),
        repro=draw(st.none() | st.builds(ReproResult, names(), st.just(1), st.booleans(), names())),
        findings=tuple(draw(st.lists(findings, max_size=6))),
        unknown=tuple(draw(st.lists(names(), max_size=4))),
        outputs=tuple(outputs),
        trtdebug=name(),
        extensions=tuple(draw(st.lists(st.builds(ExtensionInfo, names(), names()), max_size=6))),
    )
    return case, diagnosis
