"""`trtdebug compare` beside `polygraphy run`: 200 nodes of 4 MiB, onnxruntime against itself, every tensor compared.

`python bench/end_to_end.py [ROUNDS]` (default 2). Both as commands, from start to exit, in turns. Memory is the peak
of the proportional set size of the command and all its children.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from _measure import MIB, bar, timed

BIN = Path(sys.executable).parent
NODES, ELEMENTS = 200, MIB
OPERATORS = ("Sigmoid", "Neg", "Abs", "Relu")


def make(path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node(OPERATORS[i % len(OPERATORS)], [f"t{i}"], [f"t{i + 1}"], f"n{i}")
        for i in range(NODES)
    ]
    ends = [helper.make_tensor_value_info(t, TensorProto.FLOAT, [ELEMENTS]) for t in ("t0", f"t{NODES}")]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def main(rounds: int) -> None:
    peer = [
        str(BIN / "polygraphy"),
        "run",
        "chain.onnx",
        "--onnxrt",
        "--onnxrt",
        "--onnx-outputs",
        "mark",
        "all",
    ]
    faster, smaller = [], []
    print(f"{NODES} nodes of 4 MiB, onnxruntime against itself")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "chain.onnx")
        for number in range(rounds):
            ours = [str(BIN / "trtdebug"), "compare", "chain.onnx", "--candidate", "onnxruntime"]
            taken = {
                "trtdebug": timed([*ours, "--session", f"s{number}"], folder),
                "polygraphy": timed(peer, folder),
            }
            for command, (seconds, memory) in taken.items():
                print(f"    {command}: {seconds:.2f} s, {memory / MIB:.0f} MiB")
            (seconds, memory), (their_seconds, their_memory) = taken.values()
            faster.append(their_seconds / seconds)
            smaller.append(memory / their_memory)
    bar("times faster", faster, lambda x: x >= 8, ">= 8")
    bar("of its peak memory", smaller, lambda x: x <= 1 / 3, "<= 0.33")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
