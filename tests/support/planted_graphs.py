"""Random graphs with planted faults: healthy in FP16 but for the nodes that are named."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.backends.onnxruntime import OrtEngine
from trtdebug.core.intervention import PinPrecision
from trtdebug.graph.load import load_model
from trtdebug.graph.rounding import round_nodes

WIDTH = 16
HALF = 0.70710678


@dataclass
class Planted:
    """A graph, the nodes that overflow by themselves, and those that only a broken kernel gets wrong."""

    model: onnx.ModelProto
    overflowing: frozenset[str]
    wrong: frozenset[str]

    @property
    def culprits(self) -> frozenset[str]:
        return self.overflowing | self.wrong


def planted_graph(seed: int, size: int, plants: int) -> Planted:
    """About `size` nodes in chains, branches and residuals, with `plants` faults at random places.

    All healthy nodes keep the scale of the data and, but for rounding, its information: what goes wrong
    anywhere shows at the output.
    """
    return _Grower(np.random.default_rng(seed), size, plants).grow()


class BrokenKernels(EmulatorBackend):
    """The emulator, with kernels for some nodes that are wrong in low precision: their output comes out tripled."""

    name = "broken-kernels"
    stands_in = False

    def __init__(self, wrong: frozenset[str]) -> None:
        self.wrong = wrong

    def build(self, request: BuildRequest) -> Engine:
        model = load_model(request.model)
        names = {n.name for n in model.graph.node}
        pinned = {n for i in request.interventions if isinstance(i, PinPrecision) for n in i.nodes}
        low = names - pinned
        kinds = {t: "float32" for n in model.graph.node for t in (*n.input, *n.output)}
        rounded = round_nodes(model, low, "fp16", kinds)
        for node in [n for n in rounded.graph.node if n.name in self.wrong & low]:
            place = list(rounded.graph.node).index(node)
            tripled = f"{node.output[0]}__tripled"
            inner, node.output[0] = node.output[0], tripled
            rounded.graph.initializer.append(numpy_helper.from_array(np.float32(3), f"{tripled}__factor"))
            rounded.graph.node.insert(
                place + 1,
                helper.make_node("Mul", [tripled, f"{tripled}__factor"], [inner], f"{node.name}__wrong"),
            )
        return OrtEngine(rounded, request.outputs, request.workdir, backend=self.name)


@dataclass
class _Grower:
    rng: np.random.Generator
    size: int
    plants: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    overflowing: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)

    def grow(self) -> Planted:
        due = sorted(self.rng.choice(np.arange(2, self.size - 6), self.plants, replace=False))
        self.due = [int(d) for d in due]
        stream = "x"
        while len(self.nodes) < self.size or self.due:
            shape = self.rng.choice(["chain", "residual", "branches"])
            stream = {"chain": self.chain, "residual": self.residual, "branches": self.branches}[shape](
                stream
            )
        graph = helper.make_graph(
            self.nodes,
            "planted",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, WIDTH])],
            [helper.make_tensor_value_info(stream, TensorProto.FLOAT, [4, WIDTH])],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return Planted(model, frozenset(self.overflowing), frozenset(self.wrong))

    def chain(self, x: str) -> str:
        for _ in range(int(self.rng.integers(1, 6))):
            x = self.fault(x) if self.due and len(self.nodes) >= self.due[0] else self.healthy(x)
        return x

    def residual(self, x: str) -> str:
        # turned first: a branch that only changes signs would cancel the stream
        return self.scaled(self.node("Add", [x, self.chain(self.turned(x))]), HALF)

    def branches(self, x: str) -> str:
        ends = [self.chain(x) for _ in range(int(self.rng.integers(2, 4)))]
        joined = self.node("Concat", ends, axis=1)
        mix = self.rng.standard_normal((WIDTH * len(ends), WIDTH)) / np.sqrt(WIDTH * len(ends))
        return self.node("MatMul", [joined, self.weight(mix)])

    def healthy(self, x: str) -> str:
        op = self.rng.choice(["MatMul", "Add", "Mul", "Neg", "LeakyRelu", "Transposes"])
        if op == "MatMul":
            return self.turned(x)
        if op == "Add":
            return self.node("Add", [x, self.weight(self.rng.standard_normal(WIDTH) * 0.1)])
        if op == "Mul":
            return self.node("Mul", [x, self.weight(self.rng.choice([-1.0, 1.0], WIDTH))])
        if op == "LeakyRelu":
            return self.node("LeakyRelu", [x], alpha=0.8)
        if op == "Transposes":
            return self.node("Transpose", [self.node("Transpose", [x], perm=[1, 0])], perm=[1, 0])
        return self.node("Neg", [x])

    def turned(self, x: str) -> str:
        q, _ = np.linalg.qr(self.rng.standard_normal((WIDTH, WIDTH)))
        return self.node("MatMul", [x, self.weight(q)])

    def fault(self, x: str) -> str:
        self.due.pop(0)
        kind = self.rng.choice(["weight", "square", "wrong"])
        if kind == "weight":  # the weight itself is beyond FP16
            grown = self.scaled(self.scaled(x, 1e-3), 1e5)
            self.overflowing.add(self.nodes[-1].name)
            return self.scaled(grown, 1e-2)
        if kind == "square":  # both nodes that touch the square
            large = self.scaled(self.node("Add", [x, self.weight(np.full(WIDTH, 3.0))]), 300.0)
            square = self.node("Mul", [large, large])
            self.overflowing.add(self.nodes[-1].name)
            root = self.node("Sqrt", [square])
            self.overflowing.add(self.nodes[-1].name)
            return self.node("Add", [self.scaled(root, 1 / 300), self.weight(np.full(WIDTH, -3.0))])
        result = self.node("Add", [x, self.weight(self.rng.standard_normal(WIDTH))])
        self.wrong.add(self.nodes[-1].name)
        return result

    def scaled(self, x: str, factor: float) -> str:
        return self.node("Mul", [x, self.weight(np.array(factor))])

    def weight(self, value: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        number = len(self.nodes)
        self.nodes.append(
            helper.make_node(op, inputs, [f"t{number}"], f"{op.lower()}_{number}", **attributes)
        )
        return f"t{number}"
