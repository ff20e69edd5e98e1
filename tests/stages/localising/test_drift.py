"""Rounding that adds up, beside a fault and without one: who is at fault is named, and nobody else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import pytest
from cases import diagnose, finding, open_case
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding_stacks import WIDTH, Fault, stack
from seed_models import model_of, node, value, weight

from trtdebug.core.case import Tolerance
from trtdebug.core.diagnosis import Culprit, Diagnosis
from trtdebug.core.outcome import Outcome, Signature, TensorError
from trtdebug.graph.rounding import round_nodes
from trtdebug.stages.localising.drift import Drift
from trtdebug.stages.observing.observe import LocalError, Observation, observe

TIGHT = 6e-4
LOOSE = 1e-2
X = np.random.default_rng(1).standard_normal((8, WIDTH)).astype(np.float32)
AT_FAULT = [("up",), ("down",)]


def answer(
    model: onnx.ModelProto, folder: Path, limit: float | Tolerance, x: np.ndarray | None = None
) -> Diagnosis:
    np.savez(folder / "x.npz", x=X if x is None else x)
    tolerance = limit if isinstance(limit, Tolerance) else Tolerance(rms_rel=limit)
    return diagnose(open_case(model, folder, "fp16", inputs=folder / "x.npz", tolerance=tolerance))


def ids(diagnosis: Diagnosis) -> set[str]:
    return {f.id for f in diagnosis.findings} & {"only-rounding", "ill-conditioned"}


def rounded(model: onnx.ModelProto, pinned: Sequence[str] = ()) -> float:
    """Relative RMS error of the output with all other nodes in FP16."""
    exact = run(model)
    off = run(round_nodes(model, [n.name for n in model.graph.node if n.name not in pinned], "fp16"))
    return float(np.linalg.norm(off - exact) / np.linalg.norm(exact))


def run(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": X})[0], np.float64)


def test_drift_alone_is_nobodys_fault(tmp_path: Path) -> None:
    model = stack(8)
    diagnosis = answer(model, tmp_path, TIGHT)
    assert diagnosis.verdict == "diverges"
    assert diagnosis.culprits == ()
    assert any(line.startswith("no node is at fault by itself") for line in diagnosis.unknown)


def test_drift_is_told_with_its_figures(tmp_path: Path) -> None:
    """Of each node, of all together as measured, by lost digits alone, and the tolerance."""
    model = stack(8)
    message = finding(answer(model, tmp_path, TIGHT), "only-rounding").message
    assert re.match(
        r"\d+ nodes only round, each by at most 0\.0004\d .* rounding of FP16 is up to 0\.00049", message
    )
    together = f"{rounded(model):.2g}"
    assert (
        f"With all nodes in FP16 y is off by {together}, where the rule is ||c - r|| / ||r|| <= 0.0006"
        in message
    )
    assert message.endswith(f"lost digits alone, computed by the reference, make {together}.")


def test_beside_a_fault_both_are_told(tmp_path: Path) -> None:
    model = stack(8, "overflow", at=4)
    diagnosis = answer(model, tmp_path, TIGHT)
    assert [c.nodes for c in diagnosis.culprits if c.proven] == AT_FAULT
    assert all(c.proven for c in diagnosis.culprits)
    remains = f"{rounded(model, ['up', 'down']):.2g}"
    assert f"With the cause in FP32 y is off by {remains}" in finding(diagnosis, "only-rounding").message
    assert any(line.startswith("besides the cause: ") for line in diagnosis.unknown)


def test_where_rounding_keeps_the_tolerance_only_the_fault_is_told(tmp_path: Path) -> None:
    diagnosis = answer(stack(8, "overflow", at=4), tmp_path, LOOSE)
    assert [c.nodes for c in diagnosis.culprits] == AT_FAULT
    assert ids(diagnosis) == set()
    assert diagnosis.unknown == ()


def test_a_tolerance_of_0_is_one_like_others(tmp_path: Path) -> None:
    diagnosis = answer(stack(3, "overflow", at=1), tmp_path, 0.0)
    assert [c.nodes for c in diagnosis.culprits] == AT_FAULT
    assert ids(diagnosis) == {"only-rounding"}


def test_with_neither_it_matches(tmp_path: Path) -> None:
    assert answer(stack(8), tmp_path, LOOSE).verdict == "matches"


def test_beside_an_ill_conditioned_node_both_are_told(tmp_path: Path) -> None:
    diagnosis = answer(stack(8, "cancel", at=2, big=500), tmp_path, TIGHT)
    assert diagnosis.culprits == ()
    assert finding(diagnosis, "ill-conditioned").node == "difference"
    assert (
        "With what is ill-conditioned, and what feeds that, in FP32"
        in finding(diagnosis, "only-rounding").message
    )


def test_an_ill_conditioned_node_that_only_others_tip_over_is_no_cause(tmp_path: Path) -> None:
    """It keeps the tolerance by itself, and breaks it with the rounding of healthy nodes."""
    model = stack(8, "cancel", at=6, big=60)
    healthy = [n.name for n in model.graph.node if n.name not in ("shift", "difference")]
    limit = (rounded(model) + rounded(model, healthy)) / 2
    diagnosis = answer(model, tmp_path, limit)
    assert diagnosis.verdict == "diverges"
    assert diagnosis.culprits == ()
    assert finding(diagnosis, "ill-conditioned").node == "difference"


def test_a_fault_that_looks_like_rounding_is_told_from_drift(tmp_path: Path) -> None:
    """`eps` is off by as good as nothing, but the row of zeros hangs on it."""
    names = ["n", *(f"t{i}" for i in range(15)), "y"]
    model = model_of(
        [
            node("Mul", ["x", "x"], ["xx"], "square"),
            node("ReduceMean", ["xx"], ["ms"], "mean", axes=[-1]),
            node("Add", ["ms", "eps"], ["ve"], "eps"),
            node("Sqrt", ["ve"], ["sd"], "sqrt"),
            node("Div", ["x", "sd"], ["n"], "div"),
            *(node("Mul", [a, "w"], [b], f"mul_{b}") for a, b in pairwise(names)),
        ],
        [value("x", [8, WIDTH])],
        [value("y", [8, WIDTH])],
        [weight("eps", np.float32(1e-12)), weight("w", np.linspace(0.9, 1.1, WIDTH, dtype=np.float32))],
    )
    x = X.copy()
    x[0] = 0
    np.savez(tmp_path / "x.npz", x=x)
    tight = Tolerance(rms_rel=TIGHT)
    diagnosis = diagnose(open_case(model, tmp_path, "fp16", inputs=tmp_path / "x.npz", tolerance=tight))
    assert [c.nodes for c in diagnosis.culprits] == [("eps",), ("sqrt",)]
    assert ids(diagnosis) == {"only-rounding"}


def test_where_rounding_alone_breaks_the_tolerance_no_search_is_made(tmp_path: Path) -> None:
    """A trial of the nodes that only round, one of the others, and one of both, for the report."""
    diagnosis = answer(stack(14, "overflow", at=6), tmp_path, TIGHT)
    assert [c.nodes for c in diagnosis.culprits] == AT_FAULT
    assert {s.name: s.trials for s in diagnosis.stages}["localise"] <= 3
    assert any("was not looked for" in line for line in diagnosis.unknown)
    assert "With the cause in FP32 y is off" in finding(diagnosis, "only-rounding").message


def test_nodes_that_fail_only_together_are_searched_for_beside_it(tmp_path: Path) -> None:
    """Each reads its factor as 0 in FP16, and Max takes the other: by itself none of them matters."""
    model = stack(8)
    last = next(n for n in model.graph.node if n.output[0] == "y")
    last.output[0] = "h"
    model.graph.initializer.extend(
        weight(name, np.float32(value)) for name, value in (("tiny", 1e-9), ("huge", 1e9), ("much", 1e4))
    )
    model.graph.node.extend(
        [
            node("Abs", ["h"], ["a"], "abs"),
            node("Mul", ["a", "much"], ["m"], "much"),
            node("Mul", ["m", "tiny"], ["l0"], "left"),
            node("Mul", ["m", "tiny"], ["r0"], "right"),
            node("Max", ["l0", "r0"], ["best"], "best"),
            node("Mul", ["best", "huge"], ["y"], "scale"),
        ]
    )
    diagnosis = answer(model, tmp_path, TIGHT)
    assert ("left", "right") in [c.nodes for c in diagnosis.culprits]


def test_at_the_end_of_the_range_it_is_more_than_rounding(tmp_path: Path) -> None:
    """The sum with 65504 is off by less than one rounding, and lies beyond the largest number of FP16."""
    model = stack(2, "cancel", at=1, big=65504)
    diagnosis = answer(model, tmp_path, LOOSE)
    assert {n for c in diagnosis.culprits for n in c.nodes} == {"shift", "difference"}
    assert ids(diagnosis) == set()


def test_a_fault_among_very_many_that_round_is_named(tmp_path: Path) -> None:
    """Very many fail by themselves, and need no search: of them the fault alone does more than round."""
    diagnosis = answer(stack(14, "overflow", at=13), tmp_path, Tolerance(atol=1e-5, rtol=1e-5))
    assert "only-rounding" in ids(diagnosis)
    assert [c.nodes for c in diagnosis.culprits] == AT_FAULT


@settings(max_examples=8, deadline=None)
@given(
    blocks=st.integers(3, 6),
    fault=st.sampled_from(("", "overflow", "cancel")),
    at=st.integers(0, 2),
    share=st.floats(0.1, 3.0).filter(lambda share: abs(share - 1) > 1e-3),
)
def test_no_healthy_node_is_ever_a_culprit(blocks: int, fault: Fault, at: int, share: float) -> None:
    """Whatever the tolerance is, in parts of what the rounding of all healthy nodes makes."""
    model = stack(blocks, fault, at, big=1e6 if fault == "overflow" else 300)
    limit = share * rounded(model, ["up", "down", "shift", "difference"])
    with TemporaryDirectory() as folder:
        diagnosis = answer(model, Path(folder), limit)
    assert [c.nodes for c in diagnosis.culprits] == (AT_FAULT if fault == "overflow" else [])
    assert (diagnosis.verdict == "matches") == (not fault and share > 1)


def drift(folder: Path, remains: Outcome) -> Drift:
    """Of a stack of which nobody saw a failure but that of all nodes."""
    ctx = open_case(stack(2), folder, "fp16")
    ctx.record()
    return Drift(ctx, observe(ctx), lambda nodes: remains)


@pytest.mark.parametrize(
    ("remains", "told"),
    [
        (Outcome("pass"), "With all nodes in FP16 the case passes: there the errors cancel"),
        (Outcome("untestable", reason="did not build"), "could not be tested (did not build)"),
    ],
)
def test_what_remains_may_pass_or_be_unknown(remains: Outcome, told: str, tmp_path: Path) -> None:
    found = drift(tmp_path, remains).finding([Culprit(("matmul0", "add0"), "precision", "")], ())
    assert told in found.message


@pytest.mark.parametrize(("error", "drifts"), [(5e-4, True), (0.5, False), (None, False)])
def test_who_could_not_be_told_apart_drifts_where_lost_digits_explain_all(
    error: float | None, drifts: bool, tmp_path: Path
) -> None:
    wrong = TensorError("y", "fail", error or 0.0, error or 0.0, error or 0.0, kind="mismatch", elements=128)
    failure = Outcome("fail", Signature("mismatch", ("y",)), tensors=(wrong,))
    undecided = Culprit(("matmul0", "add0"), "precision", "", proven=False)
    judge = drift(tmp_path, failure if error is not None else Outcome("untestable"))
    assert judge.among([undecided]) == ([undecided] if drifts else [])


def test_who_was_not_observed_is_no_drift(tmp_path: Path) -> None:
    judge = drift(tmp_path, Outcome("untestable"))
    blind = Drift(judge.ctx, Observation({}, {}), judge.failure)
    assert blind.among([Culprit(("matmul0",), "precision", "")]) == []


def test_who_does_more_than_round_is_no_drift(tmp_path: Path) -> None:
    judge = drift(tmp_path, Outcome("untestable"))
    local = LocalError("add0", TensorError("h0", "fail", rms_rel=0.1), None)
    seen = Observation(judge.seen.local | {"add0": local}, {})
    assert Drift(judge.ctx, seen, judge.failure).among([Culprit(("add0",), "precision", "")]) == []


@pytest.mark.parametrize(
    ("less", "told"), [(0.0, "No kernel of this precision does better"), (0.8, "3 roundings")]
)
def test_that_no_kernel_does_better_is_said_of_few_roundings_only(
    less: float, told: str, tmp_path: Path
) -> None:
    """x - 0.8 with x around 1 is a fifth of it, and its digits are those of x."""
    model = model_of(
        [node("Sub", ["x", "less"], ["d"], "sub"), node("Neg", ["d"], ["y"], "neg")],
        [value("x", [8, WIDTH])],
        [value("y", [8, WIDTH])],
        [weight("less", np.float32(less))],
    )
    x = np.random.default_rng(0).uniform(0.9, 1.1, (8, WIDTH)).astype(np.float32)
    diagnosis = answer(model, tmp_path, 1e-4, x)
    assert finding(diagnosis, "only-rounding").mitigation.startswith(told)
