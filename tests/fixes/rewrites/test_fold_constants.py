"""Constants are folded where they are at fault, or where the model does not build; and only where any was folded."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from rewriting import assert_same, kinds, model_of, run

from trtdebug.core.intervention import ReplaceGraph
from trtdebug.core.outcome import Signature
from trtdebug.fixes.rewrites.fold_constants import FIX
from trtdebug.plugins.testing import fix_context
from trtdebug.plugins.types import FixContext

BODY = "a = Mul(big, big) b = Sqrt(a) y = Mul(x, b)"  # 300 * 300 is beyond FP16
VALUES = {"big": np.float32(300)}


def context(
    kept: list[onnx.ModelProto], culprits: list[list[str]], signature: Signature | None = None
) -> FixContext:
    def keep(model: onnx.ModelProto) -> ReplaceGraph:
        kept.append(model)
        return ReplaceGraph(f"{len(kept)}.onnx", "00")

    return fix_context(model_of(BODY, [2, 3], VALUES), culprits, signature=signature, keep_model=keep)


@pytest.mark.parametrize(
    ("culprits", "signature"),
    [([["node_of_a"]], None), ([], Signature("build-failure"))],
    ids=["a constant node is at fault", "the model does not build"],
)
def test_folds(culprits: list[list[str]], signature: Signature | None) -> None:
    kept: list[onnx.ModelProto] = []
    [proposal] = FIX.propose(context(kept, culprits, signature))
    assert (proposal.kind, proposal.summary) == ("rewrite", "fold 2 constant nodes")
    assert proposal.interventions == (ReplaceGraph("1.onnx", "00"),)
    assert kinds(kept[0]) == ["Mul"]
    feeds = {"x": np.ones((2, 3), np.float32)}
    assert_same(run(model_of(BODY, [2, 3], VALUES), feeds), run(kept[0], feeds))


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        (f"c = Neg(x) d = Abs(c) {BODY}", "fold 2 constant nodes and leave out 2 nodes that nothing needs"),
        ("a = Mul(big, big) y = Neg(x)", "leave out 1 nodes that nothing needs"),
    ],
)
def test_dead_ends_are_told_apart(body: str, summary: str) -> None:
    model = model_of(body, [2, 3], VALUES)
    [proposal] = FIX.propose(
        fix_context(model, [["node_of_a"]], keep_model=lambda _: ReplaceGraph("0.onnx", "00"))
    )
    assert proposal.summary == summary


def test_folds_a_model_that_is_newer_than_onnxruntime() -> None:
    """graphsurgeon folds by onnxruntime, and folds nothing, without a word, where that refuses the IR version."""
    model = model_of(BODY, [2, 3], VALUES)
    model.ir_version = 14
    kept: list[onnx.ModelProto] = []

    def keep(folded: onnx.ModelProto) -> ReplaceGraph:
        kept.append(folded)
        return ReplaceGraph("0.onnx", "00")

    assert list(FIX.propose(fix_context(model, [["node_of_a"]], keep_model=keep)))
    assert (kinds(kept[0]), kept[0].ir_version) == (["Mul"], 14)


def test_leaves_a_model_alone_whose_constants_are_not_at_fault() -> None:
    assert not list(FIX.propose(context([], [["node_of_y"]])))


def test_proposes_nothing_where_there_is_nothing_to_fold() -> None:
    model = model_of("y = Neg(x)", [2, 3])
    assert not list(FIX.propose(fix_context(model, [], signature=Signature("build-failure"))))


def test_equal_on_100_random_shapes() -> None:
    """A chain of 1 to 4 constant nodes, of scalars and of tensors that broadcast, between nodes that stay."""
    rng = np.random.default_rng(11)
    ops = ("Mul", "Add", "Sub", "Max")
    for _ in range(100):
        shape = [int(n) for n in rng.integers(1, 9, rng.integers(1, 4))]
        names, lines = ["k0"], []
        values = {"k0": rng.normal(size=shape if rng.random() < 0.5 else [1]).astype(np.float32)}
        for step in range(int(rng.integers(1, 5))):
            values[f"w{step}"] = np.float32(rng.normal())
            lines.append(f"c{step} = {rng.choice(ops)}({names[-1]}, w{step})")
            names.append(f"c{step}")
        model = model_of(f"h = Tanh(x) {' '.join(lines)} y = Add(h, {names[-1]})", shape, values)
        kept: list[onnx.ModelProto] = []

        def keep(folded: onnx.ModelProto, kept: list[onnx.ModelProto] = kept) -> ReplaceGraph:
            kept.append(folded)
            return ReplaceGraph("0.onnx", "00")

        assert list(FIX.propose(fix_context(model, [["node_of_c0"]], keep_model=keep)))
        assert kinds(kept[0]) == ["Tanh", "Add"]
        feeds = {"x": rng.normal(size=shape).astype(np.float32)}
        assert_same(run(model, feeds), run(kept[0], feeds))
