"""The real `polygraphy debug reduce` on the two-branch graph, with a scripted check.

The check runs the model on onnxruntime and fails while node n10 (in the first branch) is in it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import onnx
from onnx import TensorProto, helper

CHECK = """
import sys, numpy, onnx, onnxruntime
model = onnx.load("polygraphy_debug.onnx")
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
session.run(None, {i.name: numpy.ones(4, numpy.float32) for i in session.get_inputs()})
sys.exit(any(node.name == "n10" for node in model.graph.node))
"""


class Reduced(NamedTuple):
    checks: int
    nodes: int


def two_branch_model(edges: list[tuple[int, int]], order: Sequence[int]) -> onnx.ModelProto:
    """Node n<i> reads what the nodes before it write, and the input where there is none; in this order."""
    before: dict[int, list[str]] = {i: [] for i in order}
    for a, b in edges:
        before[b].append(f"t{a}")
    nodes = [
        helper.make_node(
            "Add" if len(before[i]) == 2 else "Relu", before[i] or ["x"], [f"t{i}"], name=f"n{i}"
        )
        for i in order
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", f"t{order[-1]}"))
    graph = helper.make_graph(nodes, "two_branches", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def polygraphy_reduce(edges: list[tuple[int, int]], order: Sequence[int], mode: str) -> Reduced:
    """Checks that it took, and nodes that it leaves."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx.save(two_branch_model(edges, order), folder / "model.onnx")
        (folder / "check.py").write_text(CHECK, encoding="utf-8")
        polygraphy = Path(sys.executable).with_name("polygraphy")
        command = [str(polygraphy), "debug", "reduce", "model.onnx", "-o", "reduced.onnx"]
        command += ["--mode", mode, "--check", sys.executable, "check.py"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        checks = len(re.findall(r"(?:PASSED|FAILED) \| Iteration", done.stdout + done.stderr))
        return Reduced(checks, len(onnx.load(folder / "reduced.onnx").graph.node))
