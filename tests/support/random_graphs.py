"""Random graphs for property tests: nodes on 4x4 floats, with branches, If and Loop, and Constant nodes."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper
from seed_models import model_of, node, value, weight

UNARY = ("Relu", "Neg", "Tanh", "Identity")
BINARY = ("Add", "Mul", "Sub")


def random_graph(seed: int, size: int, loops: bool = False) -> onnx.ModelProto:
    """`size` nodes n0, n1, ... in topological order; n<i> writes t<i>; inputs x and y; all 4x4 float32.

    With `loops`, Loops with an If in them too (second output t<i>_steps, 2x4x4), and Gathers of a Concat
    n<i>_both.
    """
    random = np.random.default_rng(seed)
    tensors = ["x", "y", "w"]
    nodes = []
    for position in range(size):
        name, output = f"n{position}", f"t{position}"
        first, second = random.choice(tensors, 2)
        kind = random.integers(12 if loops else 10)
        if kind < 4:
            made = node(str(random.choice(UNARY)), [first], [output], name)
        elif kind < 7:
            made = node(str(random.choice(BINARY)), [first, second], [output], name)
        elif kind == 7:
            made = node("Clip", [first, "", "high"], [output], name)
        elif kind == 8:
            made = helper.make_node("Constant", [], [output], name, value=weight("", random.random((4, 4))))
        elif kind == 9:
            made = _branch(name, first, second, output)
        elif kind == 10:
            made = _loop(name, first, second, output)
        else:
            made = node("Concat", [first, second], [f"{output}_both"], f"{name}_both", axis=0)
            nodes.append(made)
            made = node("Gather", [f"{output}_both", "rows"], [output], name, axis=0)
        nodes.append(made)
        tensors.append(output)
    read = {name for made in nodes for name in made.input}
    ends = [name for name in tensors[3:] if name not in read]
    return model_of(
        nodes,
        [value("x", [4, 4]), value("y", [4, 4])],
        [value(name, [4, 4]) for name in ends],
        [
            weight("w", random.random((4, 4))),
            weight("high", np.float32(0.5)),
            weight("yes", np.array(True)),
            weight("rounds", np.array(2)),
            weight("rows", np.array([7, 0, 5, 2])),
        ],
    )


def _branch(name: str, first: str, second: str, output: str) -> onnx.NodeProto:
    """first + second, and behind the other branch first * second * w."""
    then = helper.make_graph(
        [node("Add", [first, second], [f"{output}_then"])], "then", [], [value(f"{output}_then", [4, 4])]
    )
    inner = [
        node("Mul", [first, second], [f"{output}_product"]),
        node("Mul", [f"{output}_product", "w"], [f"{output}_else"]),
    ]
    otherwise = helper.make_graph(inner, "else", [], [value(f"{output}_else", [4, 4])])
    return node("If", ["yes"], [output], name, then_branch=then, else_branch=otherwise)


def _loop(name: str, first: str, second: str, output: str) -> onnx.NodeProto:
    """Twice: state = tanh(state * second) + third, the tanh halved by an If in the loop. Also gives each state."""
    state, halved, kept = f"{output}_state", f"{output}_halved", f"{output}_kept"
    half = helper.make_graph(
        [
            helper.make_node("Constant", [], [f"{output}_half"], value_float=0.5),
            node("Mul", [f"{output}_bent", f"{output}_half"], [halved]),
        ],
        "half",
        [],
        [value(halved, [4, 4])],
    )
    whole = helper.make_graph(
        [node("Identity", [f"{output}_bent"], [kept])], "whole", [], [value(kept, [4, 4])]
    )
    body = helper.make_graph(
        [
            node("Mul", [state, second], [f"{output}_scaled"]),
            node("Tanh", [f"{output}_scaled"], [f"{output}_bent"]),
            node("If", ["yes"], [f"{output}_chosen"], then_branch=half, else_branch=whole),
            node("Add", [f"{output}_chosen", f"{output}_third"], [f"{output}_next"]),
            node("Identity", [f"{output}_next"], [f"{output}_step"]),
            node("Identity", [f"{output}_on"], [f"{output}_on_out"]),
        ],
        "body",
        [
            value(f"{output}_i", [], TensorProto.INT64),
            value(f"{output}_on", [], TensorProto.BOOL),
            value(state, [4, 4]),
        ],
        [
            value(f"{output}_on_out", [], TensorProto.BOOL),
            value(f"{output}_next", [4, 4]),
            value(f"{output}_step", [4, 4]),
        ],
        [weight(f"{output}_third", np.array(1 / 3, np.float32))],
    )
    return node("Loop", ["rounds", "yes", first], [output, f"{output}_steps"], name, body=body)
