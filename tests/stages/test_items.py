"""What is pinned, forced and searched: the nodes whose precision matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx.parser
from cases import diagnose, open_case

COUNTS = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[4] x, bool c) => (int64 y) {
  h = Abs(x)
  y = If(c) <
    then_branch = t () => (int64 many) {
      big = Constant<value_float = 100000.0>()
      scaled = Mul(h, big)
      limit = Constant<value_float = 65504.0>()
      over = Greater(scaled, limit)
      ones = Cast<to = 7>(over)
      many = ReduceSum<keepdims = 0>(ones)
    },
    else_branch = e () => (int64 none) { none = Constant<value = int64 {0}>() }
  >
}
"""
"""As detectors wrap NonMaxSuppression: the If reads a bool, gives integers, and computes with floats from outside."""


def test_a_node_whose_body_reads_floats_is_pinned_and_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.array([0.1, 0.65502, 0.7, 0.2], np.float32), c=np.array(True))
    model = onnx.parser.parse_model(COUNTS)
    model.graph.node[1].name = "branch"
    ctx = open_case(model, tmp_path, "fp16", inputs=tmp_path / "x.npz")
    assert "branch" in ctx.items
    diagnosis = diagnose(ctx)
    assert diagnosis.verdict == "diverges"
    assert [c.nodes for c in diagnosis.culprits if c.proven] == [("branch",)]
    assert not any("every node pinned" in line for line in diagnosis.unknown)
