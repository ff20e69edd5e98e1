"""Seeded graphs with planted unbuildable nodes, and a backend that refuses them: quick, and told what fails."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtdebug.backends.base import Availability, BuildRequest, Engine
from trtdebug.backends.onnxruntime import OrtEngine
from trtdebug.core.build_error import BuildError
from trtdebug.core.errors import BuildFailure
from trtdebug.graph.load import load_model
from trtdebug.graph.walk import all_nodes, bodies

WIDTH = 8


@dataclass(frozen=True)
class PlantedModel:
    """A model and the sets of nodes that are not built; a node of a body is named as in its body.

    Attributes:
        inside: the nodes around those that are in bodies, by name.
        nodes: how many there are at the top level, without Constants.
    """

    model: onnx.ModelProto
    culprits: frozenset[frozenset[str]]
    inside: dict[str, tuple[str, ...]]
    nodes: int


def planted_model(seed: int, size: int, count: int, pairs: bool = False) -> PlantedModel:
    """`size` nodes in chains, branches and residuals, some in bodies of If and Loop; `count` of them planted.

    Args:
        pairs: one of the culprits is an edge of two nodes that are built apart, but not together.
    """
    grower = _Grower(random.Random(seed), size)
    model = grower.grow()
    rng = random.Random(seed + 1)
    inner = [n for n in grower.inside if grower.inside[n]]
    outer = [n for n in grower.inside if not grower.inside[n]]
    chosen = rng.sample(outer, count)
    if inner and rng.random() < 0.5:
        name = rng.choice(inner)
        holders = grower.inside[name]
        chosen = [*[n for n in chosen if n not in holders][: count - 1], name]
    culprits = {frozenset({n}) for n in chosen}
    if pairs:
        taken = {n for c in culprits for n in (*c, *grower.inside[next(iter(c))])}
        edges = [e for e in grower.edges if not taken & set(e)]
        culprits.add(frozenset(rng.choice(edges)))
    return PlantedModel(model, frozenset(culprits), grower.inside, len(outer))


@dataclass
class _Grower:
    rng: random.Random
    size: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    inside: dict[str, tuple[str, ...]] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def grow(self) -> onnx.ModelProto:
        self.weights.append(numpy_helper.from_array(np.float32(0.5), "half"))
        self.weights.append(numpy_helper.from_array(np.array([2, WIDTH // 2], np.int64), "split"))
        self.weights.append(numpy_helper.from_array(np.array([WIDTH], np.int64), "width"))
        stream = "x"
        while len(self.inside) < self.size:
            block = self.rng.choice(
                [self.chain, self.chain, self.residual, self.branches, self.shapes, self.held]
            )
            stream = block(stream)
        graph = helper.make_graph(
            self.nodes,
            "planted",
            [
                helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH]),
                helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            ],
            [helper.make_tensor_value_info(stream, TensorProto.FLOAT, ["batch", WIDTH])],
            self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def chain(self, x: str) -> str:
        for _ in range(self.rng.randint(1, 6)):
            x = self.plain(x)
        return x

    def residual(self, x: str) -> str:
        return self.node("Add", [x, self.chain(x)])

    def branches(self, x: str) -> str:
        return self.node("Mul", [self.chain(x), self.node("Add", [self.chain(x), self.chain(x)])])

    def shapes(self, x: str) -> str:
        """Two Reshapes, to a shape that is computed of constants and to one that is computed of a shape."""
        rows = self.node("Slice", [self.node("Shape", [x]), *self.ints(0, 1)])
        deep = self.node("Reshape", [x, self.node("Concat", [rows, "split"], axis=0)])
        return self.node(
            "Reshape", [deep, self.node("Concat", [rows, self.node("Identity", ["width"])], axis=0)]
        )

    def held(self, x: str) -> str:
        name = self.name("If" if self.rng.random() < 0.5 else "Loop")
        self.inside[name] = ()
        if name.startswith("If"):
            then, other = (self.body(f"{name}_{i}", x, name) for i in range(2))
            self.add(helper.make_node("If", ["c"], [f"t_{name}"], name, then_branch=then, else_branch=other))
        else:
            body = self.body(f"{name}_b", f"{name}_carried", name)
            body.input.extend(
                [
                    helper.make_tensor_value_info(f"{name}_i", TensorProto.INT64, []),
                    helper.make_tensor_value_info(f"{name}_go", TensorProto.BOOL, []),
                    helper.make_tensor_value_info(f"{name}_carried", TensorProto.FLOAT, ["batch", WIDTH]),
                ]
            )
            body.node.append(helper.make_node("Identity", [f"{name}_go"], [f"{name}_on"], f"{name}_keep"))
            body.output.insert(0, helper.make_tensor_value_info(f"{name}_on", TensorProto.BOOL, []))
            trips = f"{name}_trips"
            self.weights.append(numpy_helper.from_array(np.int64(2), trips))
            self.add(helper.make_node("Loop", [trips, "c", x], [f"t_{name}"], name, body=body))
        return f"t_{name}"

    def body(self, prefix: str, x: str, holder: str) -> onnx.GraphProto:
        nodes = []
        for i in range(self.rng.randint(1, 5)):
            op = self.rng.choice(["Relu", "Tanh", "Neg", "Abs"])
            nodes.append(helper.make_node(op, [x], [f"{prefix}_{i}"], f"{op}_{prefix}_{i}"))
            self.inside[nodes[-1].name] = (holder,)
            x = f"{prefix}_{i}"
        output = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["batch", WIDTH])
        return helper.make_graph(nodes, prefix, [], [output])

    def plain(self, x: str) -> str:
        op = self.rng.choice(["Relu", "Tanh", "Mul", "Neg", "Abs", "Clip"])
        return self.node(op, {"Mul": [x, "half"], "Clip": [x, "", "half"]}.get(op, [x]))

    def ints(self, *values: int) -> list[str]:
        names = []
        for value in values:
            names.append(f"k{len(self.nodes)}_{value}")
            array = numpy_helper.from_array(np.array([value], np.int64))
            self.nodes.append(helper.make_node("Constant", [], [names[-1]], f"n_{names[-1]}", value=array))
        return names

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        name = self.name(op)
        self.inside[name] = ()
        return self.add(helper.make_node(op, inputs, [f"t_{name}"], name, **attributes))

    def add(self, node: onnx.NodeProto) -> str:
        writers = (self.made.get(i) for i in node.input)
        self.edges += [(writer, node.name) for writer in writers if writer in self.inside]
        self.made |= dict.fromkeys(node.output, node.name)
        self.nodes.append(node)
        return str(node.output[0])

    def name(self, op: str) -> str:
        self.count += 1
        return f"{op}_{self.count}"


INVALID = "this is no valid graph"

Refusal = Callable[[frozenset[str]], BuildError]


def builder_says(found: frozenset[str]) -> BuildError:
    """What a builder says that names nobody."""
    ends = min(found), max(found)
    return BuildError(
        "build", f"No implementation for {{ForeignNode[{ends[0]}...{ends[1]}]}}.", "10: Internal Error"
    )


def parser_says(found: frozenset[str]) -> BuildError:
    """What a parser says of one node."""
    node = min(found)
    return BuildError("parse", f"no importer for {node}", "UNSUPPORTED_NODE", node, node.partition("_")[0])


@dataclass
class Refusing:
    """onnxruntime, but for models that hold all nodes of a planted set: those it refuses.

    Attributes:
        says: the error of a set that it refuses; the first of the model's is told.
        refuses_first: models that it refuses for another reason.
    """

    culprits: frozenset[frozenset[str]]
    says: Refusal = builder_says
    refuses_first: Callable[[onnx.ModelProto], bool] = lambda model: False
    name: str = "refusing"
    summary: str = "for tests"
    realises: frozenset[str] = frozenset({"ReplaceGraph", "MarkOutputs"})
    deterministic: bool = True

    def probe(self) -> Availability:
        return Availability(True, "1")

    def build(self, request: BuildRequest) -> Engine:
        model = load_model(request.model)
        held = {node.name for node in all_nodes(model.graph.node)}
        refused = sorted(sorted(c) for c in self.culprits if c <= held)
        if self.refuses_first(model):
            raise BuildFailure(INVALID, errors=(BuildError("build", INVALID),))
        if refused:
            error = self.says(frozenset(refused[0]))
            holders = tuple(_holders(model, error.node)) if error.node else ()
            error = BuildError(error.kind, error.message, error.code, error.node, error.operator, holders)
            raise BuildFailure(error.message, node=error.outer, errors=(error,))
        return OrtEngine(model, request.outputs, request.workdir, self.name)


def _holders(model: onnx.ModelProto, name: str) -> Iterator[str]:
    for node in model.graph.node:
        if any(inner.name == name for body in bodies(node) for inner in all_nodes(body.node)):
            yield node.name


def write(model: onnx.ModelProto, folder: Path, check: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if check:
        onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"
