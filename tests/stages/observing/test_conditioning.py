"""Nodes that only amplify rounding are called ill-conditioned; nodes that are wrong stay culprits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from cases import diagnose, finding, open_case
from onnx import TensorProto
from seed_models import model_of, node, value, weight

from trtdebug.core.case import Tolerance
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.graph.rounding import round_nodes

RANDOM = np.random.default_rng(0)
W = weight("w", (RANDOM.standard_normal((16, 16)) / 4).astype(np.float32))


def one(name: str, number: float) -> onnx.TensorProto:
    return weight(name, np.float32(number))


def near_equals(scale: float = 1.0, big: float = 500) -> onnx.ModelProto:
    """(xW + 500) - 500: FP16 has steps of 0.25 to 0.5 there."""
    return model_of(
        [
            node("MatMul", ["x", "w"], ["h"], "matmul"),
            node("Add", ["h", "big"], ["shifted"], "shift"),
            node("Sub", ["shifted", "big"], ["d"], "difference"),
            node("Mul", ["d", "scale"], ["y"], "scale"),
        ],
        [value("x", [8, 16])],
        [value("y", [8, 16])],
        [W, one("big", big), one("scale", scale)],
    )


def log_near_one() -> onnx.ModelProto:
    return model_of(
        [
            node("MatMul", ["x", "w"], ["h"], "matmul"),
            node("Mul", ["h", "small"], ["s"], "small"),
            node("Add", ["s", "one"], ["a"], "near_one"),
            node("Log", ["a"], ["l"], "log"),
            node("Mul", ["l", "grow"], ["y"], "grow"),
        ],
        [value("x", [8, 16])],
        [value("y", [8, 16])],
        [W, one("small", 1e-3), one("one", 1), one("grow", 1000)],
    )


def softmax_of_large_logits() -> onnx.ModelProto:
    return model_of(
        [
            node("MatMul", ["x", "w"], ["h"], "matmul"),
            node("Add", ["h", "offset"], ["logits"], "offset"),
            node("Softmax", ["logits"], ["p"], "softmax", axis=-1),
            node("MatMul", ["p", "w"], ["y"], "mix"),
        ],
        [value("x", [8, 16])],
        [value("y", [8, 16])],
        [W, one("offset", 1500)],
    )


ILL = {"difference": near_equals, "log": log_near_one, "softmax": softmax_of_large_logits}


def ill(diagnosis: Diagnosis) -> list[str | None]:
    return [f.node for f in diagnosis.findings if f.id == "ill-conditioned"]


@pytest.mark.parametrize("name", ILL)
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_ill_conditioned_nodes_are_no_culprits(name: str, precision: str, tmp_path: Path) -> None:
    diagnosis = diagnose(open_case(ILL[name](), tmp_path, precision))
    assert diagnosis.verdict == "diverges"
    assert ill(diagnosis) == [name]
    assert diagnosis.culprits == (), "neither it, nor the healthy nodes whose rounding it amplifies"
    assert diagnosis.first_divergence is not None
    assert diagnosis.first_divergence.node == name
    assert any("ill-conditioned" in line for line in diagnosis.unknown)


@pytest.mark.parametrize("name", ILL)
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_however_tight_the_tolerance_is_they_alone_are_ill_conditioned(
    name: str, precision: str, tmp_path: Path
) -> None:
    tolerance = Tolerance(atol=1e-6, rtol=1e-6)
    assert ill(diagnose(open_case(ILL[name](), tmp_path, precision, tolerance=tolerance))) == [name]


def test_what_it_says(tmp_path: Path) -> None:
    found = finding(diagnose(open_case(near_equals(), tmp_path, "fp16")), "ill-conditioned")
    assert found.severity == "warning"
    assert found.message.startswith("Sub 'difference' is ill-conditioned: inputs off by one rounding of FP16")
    assert "FP32" in found.mitigation


def test_an_overflow_behind_it_is_a_culprit_all_the_same(tmp_path: Path) -> None:
    """The range of FP16 is no matter of its digits: times 1e6 the result overflows."""
    diagnosis = diagnose(open_case(near_equals(1e6), tmp_path, "fp16"))
    assert ["scale"] in [list(c.nodes) for c in diagnosis.culprits if c.proven]
    assert not {"matmul", "difference"} & {n for c in diagnosis.culprits if c.proven for n in c.nodes}


def test_the_edge_of_the_range_is_a_culprit(tmp_path: Path) -> None:
    """x + 65504 is one rounding away from Inf in FP16: not only digits are missing."""
    diagnosis = diagnose(open_case(near_equals(big=65500), tmp_path, "fp16"))
    assert ill(diagnosis) == []
    assert {n for c in diagnosis.culprits if c.proven for n in c.nodes} >= {"difference"}


def test_a_weight_that_vanishes_is_a_culprit(tmp_path: Path) -> None:
    """The inputs' rounding explains 2**-11, not a result of 0."""
    model = model_of(
        [node("Mul", ["x", "tiny"], ["h"], "shrink"), node("Mul", ["h", "grow"], ["y"], "grow")],
        [value("x", [8, 16])],
        [value("y", [8, 16])],
        [one("tiny", 1e-9), one("grow", 1e4)],
    )
    diagnosis = diagnose(open_case(model, tmp_path, "fp16"))
    assert ill(diagnosis) == []
    assert {n for c in diagnosis.culprits for n in c.nodes} >= {"shrink"}


def variance(behind: Sequence[onnx.NodeProto] = (), out: str = "n", big: float = 1.0) -> onnx.ModelProto:
    """(x - mean) / sqrt(E[x^2] - E[x]^2) around 30: the difference of the two is ill-conditioned."""
    return model_of(
        [
            node("ReduceMean", ["x"], ["mu"], "mu", axes=[-1]),
            node("Mul", ["mu", "mu"], ["mu2"], "mu2"),
            node("Mul", ["x", "x"], ["x2"], "x2"),
            node("ReduceMean", ["x2"], ["ex2"], "ex2", axes=[-1]),
            node("Sub", ["ex2", "mu2"], ["v"], "variance"),
            node("Add", ["v", "eps"], ["ve"], "ve"),
            node("Sqrt", ["ve"], ["sd"], "sd"),
            node("Sub", ["x", "mu"], ["xc"], "xc"),
            node("Div", ["xc", "sd"], ["n"], "div"),
            *behind,
        ],
        [value("x", [4, 256])],
        [value(out, [4, 256])],
        [one("eps", 1e-5), one("big", big), one("small", 1 / big)],
    )


def around_thirty(folder: Path) -> Path:
    x = np.random.default_rng(1).standard_normal((4, 256)).astype(np.float32) + 30
    np.savez(folder / "x.npz", x=x)
    return folder / "x.npz"


def test_a_set_that_only_tips_the_scale_is_no_cause_beside_it(tmp_path: Path) -> None:
    """`x2` feeds the variance, and `xc`, x - 30, amplifies a little beside it: together they are over the limit."""
    limit = Tolerance(rms_rel=tipping_point(tmp_path))
    ctx = open_case(variance(), tmp_path, "fp16", inputs=around_thirty(tmp_path), tolerance=limit)
    diagnosis = diagnose(ctx)
    assert ill(diagnosis) == ["variance", "xc"]
    assert diagnosis.culprits == ()


def test_nan_that_lost_digits_make_is_no_fault_of_who_feeds_it(tmp_path: Path) -> None:
    """In BF16 the difference becomes negative, and its root NaN, though nothing leaves the range."""
    diagnosis = diagnose(open_case(variance(), tmp_path, "bf16", inputs=around_thirty(tmp_path)))
    assert ill(diagnosis) == ["variance"]
    assert not {"mu", "mu2", "x2", "ex2"} & {n for c in diagnosis.culprits for n in c.nodes}


def test_another_shape_that_lost_digits_make_is_no_fault_of_who_feeds_it(tmp_path: Path) -> None:
    """4097 is 4096 in FP16, and the limit of a Range."""
    model = model_of(
        [
            node("Mul", ["x", "one"], ["limit"], "limit"),
            node("Cast", ["limit"], ["count"], "cast", to=TensorProto.INT64),
            node("Range", ["zero", "count", "step"], ["r"], "range"),
            node("Cast", ["r"], ["f"], "float", to=TensorProto.FLOAT),
            node("Sub", ["f", "f"], ["y"], "sub"),
        ],
        [value("x", [])],
        [value("y", ["n"])],
        [one("one", 1), weight("zero", np.int64(0)), weight("step", np.int64(1))],
    )
    np.savez(tmp_path / "x.npz", x=np.float32(4097))
    diagnosis = diagnose(open_case(model, tmp_path, "fp16", inputs=tmp_path / "x.npz"))
    assert diagnosis.signature is not None
    assert diagnosis.signature.kind == "shape"
    assert ill(diagnosis) == ["cast"]
    assert diagnosis.culprits == ()


def tipping_point(folder: Path) -> float:
    """Between what `x2` and `xc` do alone and what they do together."""
    with np.load(around_thirty(folder)) as given:
        x = given["x"]
    errors = []
    exact = run(variance(), x)
    for low in (["x2"], ["xc"], ["x2", "xc"]):
        off = run(round_nodes(variance(), low, "fp16"), x)
        errors.append(float(np.linalg.norm(off - exact) / np.linalg.norm(exact)))
    assert errors[2] > max(errors[:2])
    return (errors[2] + max(errors[:2])) / 2


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0], np.float64)


@pytest.mark.parametrize("big", [3e5, 1e9])
def test_a_fault_beside_it_is_named_all_the_same(big: float, tmp_path: Path) -> None:
    """Times 3e5 overflows behind the ill-conditioned node; a weight of 1e-9 becomes 0."""
    faults = [node("Mul", ["n", "big"], ["u"], "up"), node("Mul", ["u", "small"], ["y"], "down")]
    ctx = open_case(variance(faults, "y", big), tmp_path, "fp16", inputs=around_thirty(tmp_path))
    diagnosis = diagnose(ctx)
    assert ill(diagnosis) == ["variance"]
    assert {c.nodes for c in diagnosis.culprits if c.proven} >= {("up",)}
    assert not {"mu", "mu2", "x2", "ex2", "xc"} & {n for c in diagnosis.culprits for n in c.nodes}


def test_an_overflow_before_it_is_named_all_the_same(tmp_path: Path) -> None:
    """`up` and `down` feed the ill-conditioned node, and lose more than digits."""
    model = near_equals()
    model.graph.node[0].output[0] = "h0"
    fault = [node("Mul", ["h0", "up"], ["u"], "up"), node("Mul", ["u", "down"], ["h"], "down")]
    for place, each in enumerate(fault, 1):
        model.graph.node.insert(place, each)
    model.graph.initializer.extend([one("up", 1e6), one("down", 1e-6)])
    diagnosis = diagnose(open_case(model, tmp_path, "fp16"))
    assert "difference" in ill(diagnosis)
    assert ("up",) in {c.nodes for c in diagnosis.culprits if c.proven}
    assert not {"matmul", "shift"} & {n for c in diagnosis.culprits for n in c.nodes}


def test_a_set_that_fails_only_together_behind_it_is_named_all_the_same(tmp_path: Path) -> None:
    """The smaller of two overflows only where both do: no lost digits make that."""
    behind = [
        node("Abs", ["n"], ["p"], "abs"),
        node("Mul", ["p", "big"], ["a"], "a"),
        node("Mul", ["p", "big"], ["b"], "b"),
        node("Min", ["a", "b"], ["m"], "min"),
        node("Mul", ["m", "small"], ["y"], "down"),
    ]
    ctx = open_case(variance(behind, "y", 1e5), tmp_path, "fp16", inputs=around_thirty(tmp_path))
    diagnosis = diagnose(ctx)
    assert ill(diagnosis) == ["variance"]
    assert {("min",), ("a", "b")} <= {c.nodes for c in diagnosis.culprits if c.proven}
