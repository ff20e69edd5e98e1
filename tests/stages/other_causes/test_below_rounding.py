"""Tolerances below one rounding of the precision: said so, and no node is blamed for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from cases import diagnose, finding, open_case
from hypothesis import given, settings
from hypothesis import strategies as st
from miscompiling import Miscompiling, opened
from planted_graphs import planted_graph
from rounding_stacks import stack
from seed_models import model_of, node, value, weight

from trtdebug.core.case import OutputTolerance, Tolerance
from trtdebug.core.intervention import Knob
from trtdebug.core.outcome import Signature
from trtdebug.stages.context import Context
from trtdebug.stages.other_causes.below_rounding import below_rounding

TIGHT = Tolerance(atol=1e-5, rtol=1e-5)
WRONG = Signature("mismatch", ("y",))


@pytest.mark.parametrize(("precision", "roundoff"), [("fp16", "0.00049"), ("bf16", "0.0039")])
def test_nobody_is_to_blame_for_such_a_tolerance(precision: str, roundoff: str, tmp_path: Path) -> None:
    diagnosis = diagnose(open_case(stack(4), tmp_path, precision, tolerance=TIGHT))
    assert diagnosis.verdict == "diverges"
    assert diagnosis.culprits == ()
    assert not any(f.id == "ill-conditioned" for f in diagnosis.findings)
    assert finding(diagnosis, "only-rounding")
    found = finding(diagnosis, "tolerance-below-rounding")
    name = precision.upper()
    assert (
        f"below one rounding of {name}, which moves a number by up to {roundoff} of itself" in found.message
    )
    assert "break |c - r| <= 1e-05 + 1e-05 * |r|" in found.message
    assert f"a tolerance that {name} keeps" in found.mitigation
    assert f"build without --{precision}" in found.mitigation


def test_a_fault_is_named_all_the_same(tmp_path: Path) -> None:
    diagnosis = diagnose(open_case(stack(4, "overflow", at=2), tmp_path, "fp16", tolerance=TIGHT))
    assert [c.nodes for c in diagnosis.culprits] == [("up",), ("down",)]
    assert finding(diagnosis, "tolerance-below-rounding").node == "y"


def test_a_tolerance_that_only_drift_breaks_is_not_below_it(tmp_path: Path) -> None:
    """One rounding makes 0.0002."""
    diagnosis = diagnose(open_case(stack(8), tmp_path, "fp16", tolerance=Tolerance(rms_rel=6e-4)))
    assert finding(diagnosis, "only-rounding")
    assert not any(f.id == "tolerance-below-rounding" for f in diagnosis.findings)


def test_where_it_matches_nothing_is_said(tmp_path: Path) -> None:
    assert below_rounding(open_case(stack(1), tmp_path, "fp16", tolerance=TIGHT), None) == ()


def scaled(scale: float, op: str = "Mul") -> onnx.ModelProto:
    return model_of(
        [node(op, ["x", "scale"], ["y"], "scale")],
        [value("x", [64])],
        [value("y", [64])],
        [weight("scale", np.float32(scale))],
    )


def case_of(model: onnx.ModelProto, folder: Path, tolerance: Tolerance, x: np.ndarray) -> Context:
    np.savez(folder / "x.npz", x=x.astype(np.float32))
    ctx = open_case(model, folder, "fp16", inputs=folder / "x.npz", tolerance=tolerance)
    ctx.record()
    return ctx


X = np.random.default_rng(0).standard_normal(64)


def test_values_that_the_precision_has_exactly_keep_any_tolerance(tmp_path: Path) -> None:
    assert below_rounding(case_of(scaled(2), tmp_path, TIGHT, np.arange(64)), WRONG) == ()


def test_the_range_of_the_precision_is_no_matter_of_its_digits(tmp_path: Path) -> None:
    """1e-9 vanishes in FP16, and 1e9 overflows; with a relative tolerance of 1e-2 neither asks for too many digits."""
    for scale in (1e-9, 1e9):
        assert below_rounding(case_of(scaled(scale), tmp_path, Tolerance(rtol=1e-2), X), WRONG) == ()


def test_each_output_has_its_own_tolerance(tmp_path: Path) -> None:
    own = Tolerance(rms_rel=1e-5, outputs={"y": OutputTolerance(rms_rel=1e-2)})
    assert below_rounding(case_of(scaled(3), tmp_path, own, X), WRONG) == ()
    own = Tolerance(outputs={"y": OutputTolerance(rms_rel=1e-5)})
    assert [f.node for f in below_rounding(case_of(scaled(3), tmp_path, own, X), WRONG)] == ["y"]


def test_outputs_that_hold_no_floats_are_not_rounded(tmp_path: Path) -> None:
    model = scaled(0, "Greater")
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.BOOL
    assert below_rounding(case_of(model, tmp_path, TIGHT, X), WRONG) == ()


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 10.0), st.integers(-30, 30))
def test_the_roundoff_is_the_border(share: float, power: int) -> None:
    """No rounding to nearest breaks a relative tolerance of u; half-way between two neighbours it moves a 1 by u."""
    x = np.full(64, (1 + 2.0**-11) * 2.0**power)
    with TemporaryDirectory() as folder:
        ctx = case_of(scaled(1), Path(folder), Tolerance(rtol=share * 2.0**-11), x)
        assert bool(below_rounding(ctx, WRONG)) == (share < 1 / (1 + 2.0**-11))


@pytest.mark.parametrize("switches", [(Knob("tf32", "off"),), ()])
def test_tf32_counts_where_the_candidate_may_use_it(switches: tuple[Knob, ...], tmp_path: Path) -> None:
    model = planted_graph(3, 30, 0).model
    ctx = opened(model, Miscompiling("none", switches=switches), tmp_path)
    ctx.case = replace(ctx.case, tolerance=TIGHT)
    ctx.record()
    found = below_rounding(ctx, Signature("mismatch", ctx.index.outputs))
    assert ["one rounding of TF32" in f.message for f in found] == [True] * len(switches)
    assert all("--no-tf32" in f.mitigation for f in found)
