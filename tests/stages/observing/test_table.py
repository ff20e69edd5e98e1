"""The layer table's verdict is the one that `trtdebug run` gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
from cases import diagnose, open_case
from keeping_backend import KeepingBackend, opened
from seed_models import model_of, node, value, weight

from trtdebug import compare
from trtdebug.core.intervention import MarkOutputs
from trtdebug.graph.load import save_model
from trtdebug.stages.observing.table import layer_table
from trtdebug.stages.verdicts.sanity import sanity


def test_a_reference_that_contradicts_itself_convicts_nobody(tmp_path: Path) -> None:
    """A random operator without a seed: each process gives other numbers, and so would any candidate."""
    noisy = model_of(
        [node("RandomNormalLike", ["x"], ["r"], "noise"), node("Add", ["x", "r"], ["y"], "add")],
        [value("x", [4, 16])],
        [value("y", [4, 16])],
    )
    table = compare(noisy, fp16=True, candidate="emulator", session=tmp_path / "session")
    assert (table.status, table.rows) == ("untestable", ())
    assert table.reason.startswith("two runs of the reference differ: y: ")


def test_what_the_references_own_rounding_explains_is_no_fault(tmp_path: Path) -> None:
    """(x + 1e4) - 1e4 in FP32 has three digits less than x, the exact candidate all of them."""
    big = weight("big", 1e4)
    inputs, outputs = [value("x", [4, 64])], [value("y", [4, 64])]
    losing = [node("Add", ["x", "big"], ["a"], "add"), node("Sub", ["a", "big"], ["y"], "sub")]
    exact = [node("Sub", ["big", "big"], ["a"], "sub"), node("Add", ["x", "a"], ["y"], "add")]
    ctx = open_case(
        model_of(losing, inputs, outputs, [big]), tmp_path, against=model_of(exact, inputs, outputs, [big])
    )
    table = layer_table(ctx)
    assert table.plain.status == "pass"
    assert [f.id for f in table.findings] == ["reference-rounds"]
    assert sanity(ctx).verdict == "matches"


def halves(name: str) -> onnx.ModelProto:
    """x / 4 in two steps."""
    nodes = [node("Mul", ["x", "half"], ["a"], f"first_{name}"), node("Mul", ["a", "half"], ["y"], name)]
    return model_of(nodes, [value("x", [4, 16])], [value("y", [4, 16])], [weight("half", 0.5)])


def test_the_verdict_is_that_of_the_build_with_the_users_marks(tmp_path: Path) -> None:
    backend = KeepingBackend()
    ctx = opened(halves("one"), tmp_path, backend)
    ctx.case = replace(ctx.case, options=replace(ctx.case.options, marks=("a",)))
    layer_table(ctx)
    assert backend.requests[0].interventions == (MarkOutputs(("a",)),)


def test_of_two_models_no_node_is_looked_at_by_itself(tmp_path: Path) -> None:
    """It would be a node of the reference's model, which the candidate does not build."""
    ctx = opened(halves("one"), tmp_path, KeepingBackend())
    assert [row.local is None for row in layer_table(ctx).rows] == [False, False]
    save_model(halves("two"), tmp_path / "other.onnx")
    other = tmp_path / "two_models"
    other.mkdir()
    ctx = opened(halves("one"), other, KeepingBackend(), candidate_model=tmp_path / "other.onnx")
    assert [row.local is None for row in layer_table(ctx).rows] == [True, True]


def test_names_that_an_exporter_gave_to_other_tensors_are_no_place(tmp_path: Path) -> None:
    """One more operator, and the numbers behind it move: what differs is `scaled`, not `val_1`."""
    inputs, outputs = [value("x", [4, 16])], [value("y", [4, 16])]

    def ending(previous: str, factor: float) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
        scale = node("Mul", [previous, "factor"], ["scaled"], "scale")
        return [scale, node("Neg", ["scaled"], ["y"], "neg")], [weight("factor", factor)]

    plain = [node("Exp", ["x"], ["val_0"], "exp"), node("Tanh", ["val_0"], ["val_1"], "tanh")]
    more = [
        node("Identity", ["x"], ["val_0"], "identity"),
        node("Exp", ["val_0"], ["val_1"], "exp"),
        node("Tanh", ["val_1"], ["val_2"], "tanh"),
    ]
    (end, factor), (other_end, other_factor) = ending("val_1", 1.0), ending("val_2", 2.0)
    ctx = open_case(
        model_of([*plain, *end], inputs, outputs, factor),
        tmp_path,
        against=model_of([*more, *other_end], inputs, outputs, other_factor),
    )
    table = layer_table(ctx)
    assert table.unmatched == ("val_0", "val_1")
    assert [(row.tensor, row.propagated.status) for row in table.rows] == [("scaled", "fail"), ("y", "fail")]
    [culprit] = diagnose(ctx).culprits
    assert culprit.nodes == ("exp", "tanh", "scale")
