"""Cast surgery in the bodies of If and Scan."""

from __future__ import annotations

import numpy as np
import onnx
from lowcasting import compute_type, if_between, model_of, run
from onnx import helper

from trtdebug.graph.lowcast import Lowering, lowering, mixed_precision


def test_a_low_if_is_low_in_its_branches_and_casts_what_they_read_around_it() -> None:
    low = mixed_precision(if_between(), {"if", "sqrt"}, "fp16")
    assert [n.op_type for n in low.graph.node] == ["Relu", "Cast", "If", "Sqrt", "Cast"]
    assert compute_type(low, "if") == compute_type(low, "sqrt") == "float16"
    then = next(a.g for a in low.graph.node[2].attribute if a.name == "then_branch")
    assert list(then.node[0].input) == ["r__fp16", "w__fp16"]
    assert [w.name for w in low.graph.initializer] == ["w__fp16"]
    for choice, expected in ((True, [2, 3]), (False, [0.5, 4])):
        found = run(low, {"x": np.float32([3, 7]), "c": np.array(choice)})["z"]
        np.testing.assert_array_equal(found, np.float32(expected))


def test_a_pinned_if_stays_float32_in_its_branches() -> None:
    model = if_between()
    low = mixed_precision(model, {"relu", "sqrt"}, "fp16")
    assert low.graph.node[3].op_type == "If"
    assert low.graph.node[3].attribute == model.graph.node[1].attribute
    assert compute_type(low, "if") == "float32"
    found = run(low, {"x": np.float32([3, 7]), "c": np.array(True)})["z"]
    np.testing.assert_array_equal(found, np.float32([2, 3]))


def scan_of(op: str) -> onnx.ModelProto:
    """Running sum of the rows of x, each first put through `op`."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node(op, ["row"], ["bent"], "bend"),
            helper.make_node("Add", ["s", "bent"], ["t"], "sum"),
        ],
        "body",
        [value("s", 1, [2]), value("row", 1, [2])],
        [value("t", 1, [2]), value("bent", 1, [2])],
    )
    scan = helper.make_node("Scan", ["zero", "x"], ["total", "bents"], "scan", body=body, num_scan_inputs=1)
    outputs = [("total", 1, [2]), ("bents", 1, [3, 2])]
    return model_of([scan], [("x", 1, [3, 2])], outputs, [("zero", np.zeros(2, np.float32))])


def test_a_scan_carries_and_gives_low_tensors() -> None:
    low = mixed_precision(scan_of("Abs"), {"scan"}, "fp16")
    assert compute_type(low, "scan") == "float16"
    found = run(low, {"x": np.float32([[1, -2], [-3, 4], [0, 1]])})
    np.testing.assert_array_equal(found["total"], np.float32([4, 7]))


def test_what_stays_float32_inside_a_low_body_is_told_by_name() -> None:
    model = scan_of("Bernoulli")
    assert lowering(model, {"scan"}, "fp16") == Lowering(
        frozenset({"scan"}),
        {},
        {"scan": {"bend": "another type draws other numbers, or an attribute says the type"}},
    )
    assert compute_type(mixed_precision(model, {"scan"}, "fp16"), "scan") == "float16"
