"""Which tensors of a network are asked about being shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from trtdebug.backends.tensorrt.layers import read_layers


@dataclass
class Tensor:
    """Answers as trt.ITensor does, and remembers that it was asked."""

    name: str
    kind: str = "FLOAT"
    shape_tensor: bool = False
    asked: list[str] = field(default_factory=list)

    @property
    def dtype(self) -> Any:
        return SimpleNamespace(name=self.kind)

    @property
    def is_shape_tensor(self) -> bool:
        self.asked.append("shape")
        return self.shape_tensor

    @property
    def is_execution_tensor(self) -> bool:
        return not self.shape_tensor


class Layer:
    def __init__(self, kind: str, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        self.type = SimpleNamespace(name=kind)
        self.name, self.metadata = kind.lower(), ""
        self.get_input, self.get_output = inputs.__getitem__, outputs.__getitem__
        self.num_inputs, self.num_outputs = len(inputs), len(outputs)


def network(*layers: Layer) -> Any:
    return SimpleNamespace(num_layers=len(layers), get_layer=layers.__getitem__)


def test_floats_that_no_integer_is_computed_from_are_not_asked() -> None:
    x, y, z, sizes = Tensor("x"), Tensor("y"), Tensor("z"), Tensor("sizes", "INT32")
    read_layers(network(Layer("MATRIX_MULTIPLY", [x, x], [y]), Layer("SHUFFLE", [y, sizes], [z])))
    assert (x.asked, y.asked, z.asked) == ([], [], [])


def test_a_float_that_becomes_a_size_is_seen_as_a_shape() -> None:
    size = Tensor("size", "INT32", shape_tensor=True)
    half = Tensor("half", shape_tensor=True)
    halved = Tensor("halved", shape_tensor=True)
    back = Tensor("back", "INT32", shape_tensor=True)
    facts = read_layers(
        network(
            Layer("CAST", [size], [half]),
            Layer("ELEMENTWISE", [half], [halved]),
            Layer("CAST", [halved], [back]),
        )
    )
    assert [f.outputs[0].is_shape for f in facts] == [True, True, False]
    assert [f.reads_shape for f in facts] == [True, True, False]


def test_nothing_is_asked_where_it_does_not_matter() -> None:
    size, half = Tensor("size", "INT32", shape_tensor=True), Tensor("half", shape_tensor=True)
    read_layers(network(Layer("CAST", [size], [half])), ask_shapes=False)
    assert half.asked == size.asked == []


def test_bodies_within_bodies() -> None:
    """A conditional in a conditional, in the order in which the parser adds its layers: borders come last."""
    cond, x, xi, xii, a, b, c, d, y = (Tensor(n) for n in ("cond", "x", "xi", "xii", "a", "b", "c", "d", "y"))
    layers = [
        Layer("UNARY", [x], [y]),
        Layer("CONDITION", [cond], []),
        Layer("CONDITION", [cond], []),
        Layer("UNARY", [xii], [a]),
        Layer("CONDITIONAL_INPUT", [xi], [xii]),
        Layer("CONDITIONAL_OUTPUT", [a, xi], [b]),
        Layer("ACTIVATION", [b], [c]),  # in the outer one, behind the inner one
        Layer("CONDITIONAL_INPUT", [x], [xi]),
        Layer("CONDITIONAL_OUTPUT", [c, xi], [d]),
        Layer("SOFTMAX", [d], [y]),
    ]
    found = {f.type for f in read_layers(network(*layers)) if not f.in_body}
    assert found == {"UNARY", "SOFTMAX"}
    assert [f.in_body for f in read_layers(network(*layers))] == [False, *[True] * 8, False]


def test_a_loop_reads_its_own_last_round() -> None:
    zero, state, total, x, y, z = (Tensor(n) for n in ("zero", "state", "total", "x", "y", "z"))
    layers = [
        Layer("TRIP_LIMIT", [zero], []),
        Layer("RECURRENCE", [zero, total], [state]),
        Layer("ELEMENTWISE", [state, x], [total]),
        Layer("LOOP_OUTPUT", [state], [y]),
        Layer("UNARY", [y], [z]),
    ]
    assert [f.in_body for f in read_layers(network(*layers))] == [True, True, True, True, False]
