"""Where a real builder goes wrong is narrowed down with few marks, and a fault that marks cure is named as such."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import onnx
import pytest
from miscompiling import Miscompiling, diagnose, influential, opened
from onnx import helper
from planted_graphs import planted_graph

from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.intervention import BreakFusion, MarkOutputs
from trtdebug.graph.index import GraphIndex
from trtdebug.stages.observing.table import layer_table
from trtdebug.stages.other_causes.narrow import bracket, narrow, spread
from trtdebug.stages.other_causes.unfuse import distances


@pytest.mark.parametrize("seed", range(4))
def test_a_wrong_kernel_is_named_in_a_few_builds(seed: int, tmp_path: Path) -> None:
    model = planted_graph(seed, 150, 0).model
    nodes = influential(model)
    wrong = nodes[len(nodes) * (seed + 1) // 6]
    diagnosis = diagnose(model, Miscompiling(wrong), tmp_path)
    if diagnosis.verdict == "matches":
        pytest.skip("the tripled output of this node is lost on the way")
    [culprit] = diagnosis.culprits
    assert culprit.nodes == (wrong,)
    assert (culprit.kind, culprit.proven) == ("unknown", False)
    assert diagnosis.trials.builds <= 2 + 4


def fused() -> tuple[onnx.ModelProto, str, list[str]]:
    """A model, a node of it to go wrong, and tensors on the way to it, the nearest first."""
    model = planted_graph(3, 60, 0).model
    index = GraphIndex(model)
    wrong = influential(model)[len(influential(model)) // 2]
    tensors = [t for t in index.node(wrong).reads if t in index.producer]
    for tensor in tensors:
        tensors += [t for t in index.node(index.producer[tensor]).reads if t in index.producer]
    return model, wrong, list(dict.fromkeys(tensors))


def fixed_by(diagnosis: Diagnosis) -> set[str]:
    """Tensors of the verified fix."""
    [marks] = diagnosis.fixes[-1].interventions
    assert isinstance(marks, MarkOutputs)
    assert diagnosis.fixes[-1].verified
    assert diagnosis.fixes[-1].kind == "fusion"
    return set(marks.tensors)


def test_a_fault_that_marks_cure_is_a_heisenbug_and_the_one_mark_fixes_it(tmp_path: Path) -> None:
    model, wrong, (across, *_) = fused()
    diagnosis = diagnose(model, Miscompiling(wrong, fused_with=(across,)), tmp_path)
    [culprit] = diagnosis.culprits
    assert culprit.kind == "fusion"
    assert wrong in culprit.nodes
    assert len(culprit.nodes) < 20
    assert f"with {across} marked as an output the failure is gone" in culprit.evidence
    assert any(f.id == "heisenbug" for f in diagnosis.findings)
    assert fixed_by(diagnosis) == {across}


@pytest.mark.parametrize("nth", [2, 3])
@pytest.mark.parametrize("unbuilt", [False, True])
def test_builds_that_are_right_by_chance_are_no_cure(nth: int, unbuilt: bool, tmp_path: Path) -> None:
    """Neither where tensors are marked, nor where these do not build and the model is cut off instead."""
    model = planted_graph(3, 60, 0).model
    wrong = influential(model)[len(influential(model)) // 2]
    own = {o.name for o in model.graph.output}
    backend = Miscompiling(
        wrong,
        right=lambda number: number % nth > 0,
        unbuilt=lambda outputs, _: unbuilt and len({*outputs} & own) == len(own) < len(outputs),
    )
    diagnosis = diagnose(model, backend, tmp_path)
    assert any(f.id == "flaky-builds" for f in diagnosis.findings)
    [culprit] = diagnosis.culprits
    assert (culprit.nodes, culprit.kind) == ((wrong,), "unknown")
    assert "fusion" not in culprit.evidence
    assert all(f.id != "heisenbug" for f in diagnosis.findings)


@pytest.mark.parametrize("most", [3, 99])
def test_what_a_cut_cures_is_not_taken_for_right(most: int, tmp_path: Path) -> None:
    """Wrong where it is fused with its readers: the model cut off behind it is right, and behind these it is wrong."""
    model, wrong, _ = fused()
    index = GraphIndex(model)
    [output] = index.node(wrong).writes
    own = {o.name for o in model.graph.output}
    many = Miscompiling(wrong, fused_with=(output,), unbuilt=lambda outputs, _: len({*outputs} - own) > most)
    diagnosis = diagnose(model, many, tmp_path)
    [culprit] = diagnosis.culprits
    assert wrong in culprit.nodes
    assert len(culprit.nodes) <= 4
    assert culprit.kind == "fusion"
    assert fixed_by(diagnosis) == {output}


def test_what_was_only_seen_where_the_model_ends_is_told_as_such(tmp_path: Path) -> None:
    model, wrong, _ = fused()
    own = {o.name for o in model.graph.output}
    told = {}
    for marks in (0, 99):
        folder = tmp_path / str(marks)
        folder.mkdir()

        def unbuilt(outputs: Collection[str], _: object, marks: int = marks) -> bool:
            return own < {*outputs} and len({*outputs} - own) > marks

        [culprit] = diagnose(model, Miscompiling(wrong, unbuilt=unbuilt), folder).culprits
        assert culprit.nodes == (wrong,)
        told[marks] = culprit.evidence.endswith("where the model ends there")
    assert told == {0: True, 99: False}


def test_two_marks_that_cure_it_only_together(tmp_path: Path) -> None:
    model, wrong, across = fused()
    needed = {across[0], across[2]}
    diagnosis = diagnose(model, Miscompiling(wrong, fused_with=tuple(needed)), tmp_path)
    assert fixed_by(diagnosis) == needed


def test_a_mark_that_does_not_build_alone_is_kept_with_others(tmp_path: Path) -> None:
    model, wrong, (across, *_) = fused()
    own = {o.name for o in model.graph.output}
    lonely = Miscompiling(wrong, fused_with=(across,), unbuilt=lambda t, _: len(set(t) - own) in (1, 2))
    marks = fixed_by(diagnose(model, lonely, tmp_path))
    assert across in marks
    assert 3 <= len(marks) <= 6


def test_a_neutral_node_is_tried_before_an_extra_output(tmp_path: Path) -> None:
    model, wrong, (across, *_) = fused()
    backend = Miscompiling(wrong, fused_with=(across,))
    backend.realises |= {"BreakFusion"}
    [fix] = diagnose(model, backend, tmp_path).fixes
    assert fix.verified
    assert fix.interventions == (BreakFusion(across),)


def test_distances_go_both_ways() -> None:
    nodes = [helper.make_node("Relu", [a], [b], b) for a, b in zip("xabc", "abcy", strict=True)]
    value = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy"]
    index = GraphIndex(helper.make_model(helper.make_graph(nodes, "g", value[:1], value[1:])))
    assert distances(index, ["a"]) == {"x": 0, "a": 0, "b": 1, "c": 2, "y": 3}
    assert distances(index, []) == {}


def test_where_marks_do_not_build_the_model_is_cut_off(tmp_path: Path) -> None:
    model = planted_graph(5, 60, 0).model
    wrong = influential(model)[len(influential(model)) // 2]
    diagnosis = diagnose(model, Miscompiling(wrong, unbuilt=lambda outputs, _: len(outputs) > 1), tmp_path)
    [culprit] = diagnosis.culprits
    assert culprit.nodes == (wrong,)
    assert any("ForeignNode" in line for line in diagnosis.unknown)


@pytest.mark.parametrize("seed", [3, 4])
def test_four_workers_cut_where_one_does_in_fewer_rounds(seed: int, tmp_path: Path) -> None:
    model = planted_graph(seed, 150, 0).model
    wrong = influential(model)[len(influential(model)) // 2]
    found, rounds = {}, {}
    for workers in (1, 4):
        folder = tmp_path / str(workers)
        folder.mkdir()
        backend = Miscompiling(wrong, unbuilt=lambda outputs, _: len(outputs) > 1)
        ctx = opened(model, backend, folder, workers=workers)
        ctx.record()
        found[workers] = narrow(ctx, [ctx.session.run(ctx.candidate_job("as built"))])
        rounds[workers] = ctx.session.rounds  # type: ignore[attr-defined]
        assert ctx.session.counts.builds <= workers * rounds[workers]
    assert found[4] == found[1]
    assert found[1].nodes == (wrong,)
    assert rounds[4] <= 0.75 * rounds[1], rounds


def test_a_bracket_holds_what_lies_behind_no_agreeing_tensor() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "a"),
        helper.make_node("Relu", ["a"], ["b"], "b"),
        helper.make_node("Relu", ["a"], ["c"], "c"),
        helper.make_node("Add", ["b", "c"], ["y"], "y"),
    ]
    value = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy"]
    index = GraphIndex(helper.make_model(helper.make_graph(nodes, "g", value[:1], value[1:])))
    assert bracket(index, "y", []) == ("a", "b", "c", "y")
    assert bracket(index, "y", ["b"]) == ("a", "c", "y")
    assert bracket(index, "y", ["a"]) == ("b", "c", "y")
    assert bracket(index, "y", ["b", "c"]) == ("y",)


def test_marks_are_spread() -> None:
    assert spread("abc", 5) == ["a", "b", "c"]
    assert spread("abcdefghi", 2) == ["d", "g"]


def with_a_shape() -> onnx.ModelProto:
    """A reshape by the input's own sizes, and a constant, before the node that goes wrong."""
    return onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[4, 16] x) => (float[n, m] y)
        { [factor] k = Constant <value = float {2.0}> () [sizes] s = Shape(x) [abs] a = Abs(x)
          [scale] b = Mul(a, k) [back] c = Reshape(b, s) [wrong] w = Add(c, k) [end] y = Sqrt(w) }"""
    )


def test_what_cannot_be_marked_is_not_taken_for_wrong(tmp_path: Path) -> None:
    """TensorRT makes no output of a shape or a constant: their absence is no difference."""
    backend = Miscompiling("wrong", unmarkable=frozenset({"Shape", "Constant"}))
    diagnosis = diagnose(with_a_shape(), backend, tmp_path)
    [culprit] = diagnosis.culprits
    assert culprit.nodes == ("wrong",)
    assert "w is the first tensor seen to differ" in culprit.evidence
    assert "what this node reads agrees" in culprit.evidence


def test_the_table_leaves_out_what_cannot_be_marked_and_tells(tmp_path: Path) -> None:
    backend = Miscompiling("wrong", unmarkable=frozenset({"Shape", "Constant"}))
    table = layer_table(opened(with_a_shape(), backend, tmp_path))
    assert {row.tensor: row.propagated.status for row in table.rows} == {
        **dict.fromkeys("abc", "pass"),
        **dict.fromkeys("wy", "fail"),
    }
    assert set(table.unmarked) == {"k", "s"}
    assert table.unmatched == ()


@pytest.mark.parametrize("is_fused", [True, False])
def test_the_table_tells_where_its_own_build_is_another(is_fused: bool, tmp_path: Path) -> None:
    """Marks cure it: the table is all right, and the outputs as the user builds are not."""
    model, wrong, (across, *_) = fused()
    backend = Miscompiling(wrong, fused_with=(across,) if is_fused else ())
    table = layer_table(opened(model, backend, tmp_path))
    assert table.plain.status == "fail"
    assert table.is_changed == is_fused
    assert any(row.propagated.status == "fail" for row in table.rows) != is_fused
