from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ort import run
from random_graphs import random_graph
from seed_models import shape_arithmetic, unsorted_with_dead_ends

from trtdebug.core.errors import UserError
from trtdebug.graph.folding import Folded, fold_constants, foldable
from trtdebug.graph.freeze import freeze_shapes
from trtdebug.graph.inputs import generate
from trtdebug.graph.limits import onnxruntime_limits
from trtdebug.graph.load import load_model
from trtdebug.graph.names import name_nodes


def folded(model: onnx.ModelProto, shapes: dict[str, tuple[int, ...]] | None = None) -> Folded:
    """Folded once its nodes have names, and its inputs these shapes; the source stays as it was."""
    work = onnx.ModelProto()
    work.CopyFrom(model)
    name_nodes(work)
    freeze_shapes(work, shapes or {})
    return fold_constants(work)


def test_constants_fold_and_dead_ends_go() -> None:
    """Seed T11 and 001-003 T9: two of the Adds are left, x + 3 + 1."""
    model = unsorted_with_dead_ends()
    del model.graph.output[1]  # no node writes it
    clean = folded(model)
    assert [made.name for made in clean.model.graph.node] == ["myAdd2", "myAdd3"]
    random = np.random.RandomState(1).random_sample((4, 3, 64, 64)).astype(np.float32)
    assert run(clean.model, {"tensor0": random, "tensor3": random})["tensor2"].mean() == pytest.approx(
        4.49952, abs=1e-5
    )


def test_dead_ends_that_go_along_are_not_said_to_be_folded() -> None:
    model = parsed("""(float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
        [half] a = Neg (w)
        [whole] b = Abs (a)
        [lost] c = Neg (x)
        [loose] d = Abs (w)
        [used] y = Add (x, b)
    }""")
    clean = folded(model)
    assert (clean.nodes, clean.unneeded) == (("half", "whole"), ("lost", "loose"))
    assert [made.name for made in clean.model.graph.node] == ["used"]


def test_shape_arithmetic_folds_once_shapes_are_frozen() -> None:
    """Seed T12: 8 nodes, 2 are left, the outputs stay."""
    model, feeds = shape_arithmetic(), {"tensor0": np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)}
    assert len(folded(model).model.graph.node) == 8
    clean = folded(model, {"tensor0": (2, 3, 4, 5)})
    assert [made.op_type for made in clean.model.graph.node] == ["Reshape", "Reshape"]
    before, after = run(model, feeds), run(clean.model, feeds)
    assert {name: array.shape for name, array in after.items()} == {"tensor3": (120,), "tensor8": (2, 3, 20)}
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


def test_a_model_too_new_for_onnxruntime_still_folds() -> None:
    """Seed T22: graphsurgeon alone prints a warning and folds nothing."""
    limits = onnxruntime_limits()
    assert limits is not None
    model = unsorted_with_dead_ends()
    model.ir_version = limits.ir + 1
    clean = folded(model)
    assert len(clean.model.graph.node) == 2
    assert clean.model.ir_version == limits.ir + 1


def test_folding_nothing_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gs.Graph, "fold_constants", lambda self, **_: self)
    monkeypatch.setattr("onnxruntime.InferenceSession", None)
    model = parsed(
        "(float[2] x) => (float[2] y) <float[2] w = {1, 2}> { a = Neg (w) b = Abs (a) y = Add (x, b) }"
    )
    with pytest.raises(UserError, match=r"could not be folded: .* and 1 more"):
        folded(model)


def test_the_source_stays_as_it_was() -> None:
    model = unsorted_with_dead_ends()
    fold_constants(model)
    assert model == unsorted_with_dead_ends()


def test_magika_folds_to_84_nodes(model_path: Callable[[str], Path]) -> None:
    model = load_model(model_path("magika_standard_v3_3.onnx"))
    clean = folded(model, {"bytes": (4, 2048)})
    assert (len(model.graph.node), len(clean.model.graph.node)) == (95, 84)
    feeds = generate(model, shapes={"bytes": (4, 2048)})
    np.testing.assert_allclose(
        run(clean.model, feeds)["target_label"], run(model, feeds)["target_label"], rtol=1e-5, atol=1e-7
    )


def test_quantised_weights_are_kept(model_path: Callable[[str], Path]) -> None:
    model = load_model(model_path("polygraphy/qdq_conv.onnx"))
    assert [made.op_type for made in folded(model).model.graph.node] == [
        made.op_type for made in model.graph.node
    ]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 20))
def test_outputs_stay_and_nothing_foldable_is_left(seed: int, size: int) -> None:
    model = random_graph(seed, size)
    clean = folded(model).model
    assert foldable(clean) == ()
    feeds = generate(model, seed=seed)
    left = {value.name for value in clean.graph.input}
    after = run(clean, {name: array for name, array in feeds.items() if name in left})
    for name, array in run(model, feeds).items():
        np.testing.assert_allclose(after[name], array, rtol=1e-6, err_msg=name)


def test_a_try_that_is_given_up_leaves_no_trace() -> None:
    """Flattening an If renames a weight in place; the second try, without flattening, then lacked it."""
    model = random_graph(497, 11)
    clean = folded(model).model
    feeds = {n: v for n, v in generate(model, seed=497).items() if n in {i.name for i in clean.graph.input}}
    assert run(clean, feeds).keys() == {o.name for o in model.graph.output}


def test_an_output_that_flattening_loses_is_kept() -> None:
    """An If of constants writes it, and a second If reads it."""
    model = random_graph(573, 8)
    clean = folded(model).model
    given = {*(t.name for t in clean.graph.initializer), *(o for n in clean.graph.node for o in n.output)}
    assert {o.name for o in clean.graph.output} <= given
    assert foldable(clean) == ()


def test_what_a_body_reads_folds_too() -> None:
    """graphsurgeon leaves it alone; here an Identity of a weight."""
    model = random_graph(287, 14)
    assert "n8" in {n.name for n in model.graph.node}
    clean = folded(model)
    assert "n8" in clean.nodes
    assert foldable(clean.model) == ()


def test_numbers_that_are_no_tensor_keep_their_type() -> None:
    """graphsurgeon makes float64 of `value_floats`, which no Add takes together with float32."""
    model = parsed("""(float[2] x) => (float[2] y) {
        c = Constant <value_floats: floats = [1.5, 2.5]> ()
        doubled = Add (c, c)
        y = Add (x, doubled)
    }""")
    clean = folded(model).model
    assert [node.op_type for node in clean.graph.node] == ["Add"]
    assert run(clean, {"x": np.zeros(2, np.float32)})["y"].tolist() == [3, 5]


def test_what_graphsurgeon_stumbles_over_is_folded_without_flattening() -> None:
    """Branches of two Ifs share a weight, and one reads what the other gives."""
    model = parsed("""(float[2] x) => (float[2] y, float[2] z) <float[2] w = {1, -2}, bool no = {0}> {
        yes = Constant <value = bool {1}> ()
        first = If (yes) <then_branch = a () => (float[2] p) { p = Neg (w) },
                          else_branch = b () => (float[2] q) { q = Identity (w) }>
        also = Not (no)
        second = If (also) <then_branch = c () => (float[2] r) { r = Neg (first) },
                            else_branch = d () => (float[2] s) { s = Neg (w) }>
        shape = Constant <value = int64[1] {2}> ()
        flat = Reshape (second, shape)
        z = Add (flat, w)
        more = Add (z, w)
        last = Relu (more)
        y = Add (x, last)
    }""")
    found = run(folded(model).model, {"x": np.zeros(2, np.float32)})
    assert (found["y"].tolist(), found["z"].tolist()) == ([3, 0], [2, -4])


def parsed(graph: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {graph}')


def test_sparse_weights_fold_and_what_a_body_reads_of_them_keeps_its_type() -> None:
    model = parsed("""(float[3] x, bool first) => (float[3] y) {
        less = Neg (sparse)
        chosen = If (first) <then_branch = a () => (float[3] p) { p = Neg (sparse) },
                             else_branch = b () => (float[3] q) { q = Identity (less) }>
        y = Add (x, chosen)
    }""")
    values, indices = np.array([5, 7], np.float32), np.array([0, 2])
    model.graph.sparse_initializer.append(
        onnx.helper.make_sparse_tensor(
            onnx.numpy_helper.from_array(values, "sparse"), onnx.numpy_helper.from_array(indices), [3]
        )
    )
    clean = folded(model).model
    assert [node.op_type for node in clean.graph.node] == ["If", "Add"]
    for first in (True, False):
        found = run(clean, {"x": np.ones(3, np.float32), "first": np.array(first)})
        assert found["y"].tolist() == [-4, 1, -6]
