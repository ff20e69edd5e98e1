"""A failure that lost digits do not explain is no drift, however little a node rounds by itself."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from cases import diagnose, open_case
from seed_models import model_of, node, value, weight

from trtdebug.core.case import Tolerance
from trtdebug.debugger import Debugger
from trtdebug.stages.context import Context
from trtdebug.stages.observing.digits import only_round, own_error
from trtdebug.stages.observing.observe import observe


def norm(eps: float, add: str = "Add") -> onnx.ModelProto:
    """x / sqrt(mean(x^2) + eps): where a row is zero, all hangs on eps."""
    return model_of(
        [
            node("Mul", ["x", "x"], ["xx"], "square"),
            node("ReduceMean", ["xx"], ["ms"], "mean", axes=[-1]),
            node(add, ["ms", "eps"], ["ve"], "eps"),
            node("Sqrt", ["ve"], ["sd"], "sqrt"),
            node("Div", ["x", "sd"], ["y"], "div"),
        ],
        [value("x", [8, 64])],
        [value("y", [8, 64])],
        [weight("eps", np.float32(eps))],
    )


def rows(folder: Path, zero: int) -> Path:
    x = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
    x[:zero] = 0
    np.savez(folder / "x.npz", x=x)
    return folder / "x.npz"


def test_an_epsilon_that_vanishes_is_a_culprit(tmp_path: Path) -> None:
    diagnosis = diagnose(open_case(norm(1e-12), tmp_path, "fp16", inputs=rows(tmp_path, 2)))
    assert diagnosis.signature is not None
    assert diagnosis.signature.kind == "nonfinite"
    assert [(c.nodes, c.proven) for c in diagnosis.culprits] == [(("eps",), True), (("sqrt",), True)]
    assert not any("at fault by itself" in line for line in diagnosis.unknown)


def test_its_repro_holds_what_divides_by_it(tmp_path: Path) -> None:
    """`sqrt` of 1e-12 is 1e-6 or 0: an error that no tolerance sees."""
    diagnosis = Debugger(open_case(norm(1e-12), tmp_path, "fp16", inputs=rows(tmp_path, 2))).run()
    assert diagnosis.repro is not None
    assert (diagnosis.repro.nodes, diagnosis.repro.verified) == (3, True)


def test_what_only_rounds_is_drift_all_the_same(tmp_path: Path) -> None:
    """Sixteen products of which each is within the tolerance."""
    names = ["x", *(f"t{n}" for n in range(15)), "y"]
    model = model_of(
        [node("Mul", [a, "w"], [b], f"mul_{b}") for a, b in itertools.pairwise(names)],
        [value("x", [8, 64])],
        [value("y", [8, 64])],
        [weight("w", np.linspace(0.9, 1.1, 64, dtype=np.float32))],
    )
    tolerance = Tolerance(rms_rel=8e-4)
    diagnosis = diagnose(open_case(model, tmp_path, "fp16", tolerance=tolerance, inputs=rows(tmp_path, 0)))
    assert diagnosis.culprits == ()
    assert any(f.id == "only-rounding" for f in diagnosis.findings)
    assert any("no node is at fault by itself" in line for line in diagnosis.unknown)


def test_small_elements_that_vanish_beside_large_ones_are_no_drift(tmp_path: Path) -> None:
    """1e-7 has one digit in FP16. By its size the small half's error is nothing beside what the large one rounds."""
    odd = np.arange(64) % 2
    model = model_of(
        [node("Mul", ["x", "small"], ["s"], "shrink"), node("Mul", ["s", "large"], ["y"], "grow")],
        [value("x", [8, 64])],
        [value("y", [8, 64])],
        [
            weight("small", np.where(odd, 1e-7, 1).astype(np.float32)),
            weight("large", np.where(odd, 5e4, 1e3).astype(np.float32)),
        ],
    )
    tolerance = Tolerance(atol=1e-5, rtol=1e-2)
    diagnosis = diagnose(open_case(model, tmp_path, "fp16", tolerance=tolerance, inputs=rows(tmp_path, 0)))
    assert [(c.nodes, c.proven) for c in diagnosis.culprits] == [(("shrink",), True), (("grow",), True)]
    assert all(f.id != "only-rounding" for f in diagnosis.findings)


def of_constants(scale: float, folder: Path) -> Context:
    """x W, where W is computed from a weight of this scale: no builder does that at run time."""
    w = (scale * np.random.default_rng(0).standard_normal((64, 64))).astype(np.float32)
    model = model_of(
        [node("Neg", ["w"], ["v"], "negative"), node("MatMul", ["x", "v"], ["y"], "matmul")],
        [value("x", [8, 64])],
        [value("y", [8, 64])],
        [weight("w", w)],
    )
    return open_case(model, folder, "fp16", inputs=rows(folder, 0), tolerance=Tolerance(rms_rel=1e-4))


def test_what_reads_constants_only_rounds_as_what_it_gives_is_stored(tmp_path: Path) -> None:
    ctx = of_constants(0.1, tmp_path)
    seen = observe(ctx)
    assert seen.unobserved == {"negative": "it reads only constants"}
    assert own_error(ctx, "negative", seen) == pytest.approx(2e-4, rel=0.3)
    assert only_round(ctx, ctx.items, seen)
    diagnosis = diagnose(ctx)
    assert diagnosis.culprits == ()
    assert not any("could not be observed" in line for line in diagnosis.unknown)


@pytest.mark.parametrize(("scale", "error"), [(1e-9, 1.0), (1e6, math.inf)])
def test_constants_that_vanish_or_overflow_do_more_than_round(
    scale: float, error: float, tmp_path: Path
) -> None:
    ctx = of_constants(scale, tmp_path)
    seen = observe(ctx)
    assert own_error(ctx, "negative", seen) == pytest.approx(error)
    assert not only_round(ctx, ["negative"], seen)


def test_a_number_computed_from_sizes_is_a_constant_too(tmp_path: Path) -> None:
    """Exports of dynamic models compute the scale of attention so, in each block."""
    model = model_of(
        [
            node("Shape", ["x"], ["sizes"], "shape"),
            node("Cast", ["sizes"], ["floats"], "cast", to=1),
            node("ReduceProd", ["floats"], ["scale"], "scale", keepdims=0),
            node("Mul", ["x", "scale"], ["y"], "mul"),
        ],
        [value("x", [8, 64])],
        [value("y", [8, 64])],
    )
    ctx = open_case(model, tmp_path, "fp16", inputs=rows(tmp_path, 0), tolerance=Tolerance(rms_rel=1e-5))
    ctx.record()
    seen = observe(ctx)
    assert seen.unobserved["cast"] == "it reads only constants"
    assert own_error(ctx, "cast", seen) == 0
    assert not any("could not be observed" in line for line in diagnose(ctx).unknown)


def test_of_what_draws_its_numbers_nothing_is_known(tmp_path: Path) -> None:
    """It reads no constants: it reads nothing."""
    model = model_of(
        [
            node("RandomNormal", [], ["noise"], "draw", shape=[8, 64], seed=1.0),
            node("Add", ["x", "noise"], ["y"], "add"),
        ],
        [value("x", [8, 64])],
        [value("y", [8, 64])],
    )
    ctx = open_case(model, tmp_path, "fp16", inputs=rows(tmp_path, 0))
    ctx.record()
    assert own_error(ctx, "draw", observe(ctx)) is None
