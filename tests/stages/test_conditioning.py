"""Nodes that only amplify rounding are called ill-conditioned; nodes that are wrong stay culprits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from cases import diagnose, finding, open_case
from seed_models import model_of, node, value, weight

from trtdebug.core.diagnosis import Diagnosis

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
