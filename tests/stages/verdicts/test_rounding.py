"""What rounding alone explains: FP64 for FP32 builds, the emulator for FP16 builds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from cases import open_case
from contexts import plugins_with
from planted_graphs import BrokenKernels
from seed_models import model_of, node, value, weight

from trtdebug.core.case import OutputTolerance, Tolerance
from trtdebug.core.outcome import Outcome, TensorError
from trtdebug.oracle.ratio import rounding_limit
from trtdebug.session.executor import InProcess
from trtdebug.stages.verdicts.rounding import calibrated, emulated_rounding
from trtdebug.stages.verdicts.sanity import sanity


def sums(order: int) -> onnx.ModelProto:
    """(x + 1e4) - 1e4, or x + (1e4 - 1e4): equal in mathematics, 3 digits apart in FP32."""
    nodes = (
        [node("Add", ["x", "big"], ["a"], "add"), node("Sub", ["a", "big"], ["y"], "sub")]
        if order
        else [node("Sub", ["big", "big"], ["a"], "sub"), node("Add", ["x", "a"], ["y"], "add")]
    )
    return model_of(
        nodes, [value("x", [4, 64])], [value("y", [4, 64])], [weight("big", np.full(64, 1e4, np.float32))]
    )


def test_a_candidate_as_good_as_the_reference_matches(tmp_path: Path) -> None:
    """The exact candidate differs from the FP32 reference by 5e-4, fifty times the default, and is not to blame."""
    ctx = open_case(sums(1), tmp_path, against=sums(0))
    sane = sanity(ctx)
    assert sane.verdict == "matches"
    [found] = sane.findings
    assert (found.id, found.node) == ("reference-rounds", "y")
    assert "what the reference's own rounding explains" in ctx.limits.describe()


def test_a_wrong_candidate_is_wrong_all_the_same(tmp_path: Path) -> None:
    wrong = sums(0)
    wrong.graph.initializer[0].CopyFrom(weight("big", np.linspace(1e4, 1.1e4, 64, dtype=np.float32)))
    wrong.graph.node[0].input[1] = "x"
    assert sanity(open_case(sums(1), tmp_path, against=wrong)).verdict == "diverges"


@pytest.mark.parametrize(
    "tolerance",
    [Tolerance(rms_rel=1e-5), Tolerance(rtol=1e-5), Tolerance(outputs={"y": OutputTolerance(rms_rel=1e-5)})],
)
def test_what_the_user_asked_for_holds(tolerance: Tolerance, tmp_path: Path) -> None:
    assert sanity(open_case(sums(1), tmp_path, against=sums(0), tolerance=tolerance)).verdict == "diverges"


def test_a_good_build_asks_for_no_second_reference(tmp_path: Path) -> None:
    ctx = open_case(sums(0), tmp_path, against=sums(0))
    assert calibrated(ctx, (Outcome("pass"),)) == ((Outcome("pass"),), ())
    assert ctx.own_rounding == {}


def test_the_limit_is_three_times_the_references_own_error_in_fp32():
    assert rounding_limit(1e-4, "fp32") == pytest.approx(3e-4)
    assert rounding_limit(1e-4, "fp16") == rounding_limit(1e-4, "bf16") == pytest.approx(4e-4)


def linear() -> onnx.ModelProto:
    w = np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32)
    return model_of(
        [node("MatMul", ["x", "w"], ["y"], "mm")],
        [value("x", [4, 16])],
        [value("y", [4, 16])],
        [weight("w", w)],
    )


@pytest.mark.parametrize("wrong", [frozenset({"mm"}), frozenset()])
def test_a_wrong_kernel_is_beyond_rounding(wrong: frozenset[str], tmp_path: Path) -> None:
    ctx = open_case(linear(), tmp_path, "fp16", candidate="emulator")
    plugins = plugins_with(BrokenKernels(wrong))
    ctx.session.executor = InProcess(ctx.session.folder, plugins.backends())
    ctx = replace(ctx, case=replace(ctx.case, candidate="broken-kernels"), plugins=plugins)
    ctx.record()
    outcome = ctx.session.run(ctx.candidate_job("as built"))
    assert outcome.status == ("fail" if wrong else "pass")
    assert [f.id for f in emulated_rounding(ctx, [outcome])] == (["beyond-rounding"] if wrong else [])


def test_the_emulator_is_not_compared_with_itself(tmp_path: Path) -> None:
    ctx = open_case(linear(), tmp_path, "fp16", candidate="emulator")
    failed = Outcome("fail", tensors=(TensorError("y", "fail", rms_rel=1.0, kind="mismatch"),))
    assert emulated_rounding(ctx, [failed]) == ()
