"""Tensors made outputs."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from trtdebug.backends.tensorrt.layers import LayerFacts, TensorFacts
from trtdebug.backends.tensorrt.outputs import (
    apply_marks,
    check_marks,
    convert_bool_outputs,
    mark_tensors,
    markable,
    marks_note,
    plan_marks,
)
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import EVERY_TENSOR

LAYERS = [
    LayerFacts(0, "ACTIVATION", "a", outputs=(TensorFacts("ta", "FLOAT"),)),
    LayerFacts(1, "SHAPE", "s", outputs=(TensorFacts("ts", "INT32"),)),
    LayerFacts(2, "ELEMENTWISE", "in", outputs=(TensorFacts("ti", "FLOAT"),), in_body=True),
    LayerFacts(3, "ELEMENTWISE", "b", outputs=(TensorFacts("tb", "BOOL"),)),
]


def test_marks_that_cannot_be_are_skipped_with_the_reason() -> None:
    wanted = ["y", "x", "ta", "ts", "ti", "folded"]
    found = plan_marks(LAYERS, wanted, outputs=["y"], inputs=["x"], bool_outputs=False)
    assert found.marks == {"ta": (0, 0)}
    assert set(found.skipped) == {"x", "ts", "ti", "folded"}
    assert "folded (not in the network: folded into weights)" in marks_note(found.skipped)


def test_all_that_can_be_marked_is_listed_and_what_nobody_knows_refused() -> None:
    assert markable(LAYERS, outputs=["y"], inputs=["x"], bool_outputs=True) == ("ta", "tb")
    check_marks(["y", "ti", EVERY_TENSOR], {"y"}, LAYERS, "m.onnx")
    with pytest.raises(BuildFailure, match=r"'nope' is no tensor of m\.onnx"):
        check_marks(["ta", "nope"], {"y"}, LAYERS, "m.onnx")


def test_a_named_tensor_at_the_end_of_a_body_is_marked_and_none_is_listed() -> None:
    """A name of the model's own graph is outside of all bodies; the network may have ends within bodies, too."""
    end = LayerFacts(0, "CONDITIONAL_OUTPUT", "end", outputs=(TensorFacts("h", "FLOAT"),), in_body=True)
    assert plan_marks([end], ["h"], ["y"], ["x"], bool_outputs=True).marks == {"h": (0, 0)}
    assert markable([end], ["y"], ["x"], bool_outputs=True) == ()


@pytest.mark.parametrize("native", [True, False])
def test_booleans_are_marked_and_converted_where_they_cannot_come_out(native: bool) -> None:
    found = plan_marks(LAYERS, ["ta", "tb"], ["y"], ["x"], bool_outputs=native)
    assert found.marks == {"ta": (0, 0), "tb": (3, 0)}
    assert found.converted == (frozenset() if native else {"tb"})


class Network:
    """Layers of one output each; keeps what is marked. TensorRT's own cannot be had without a GPU.

    As in TensorRT 8.6, a cast that is marked has the type of what is cast until its own is set.
    """

    def __init__(self, *outputs: SimpleNamespace) -> None:
        self.layers = [layer(t) for t in outputs]
        self.marked = [t for t in outputs if t.name.startswith("y")]

    @property
    def num_outputs(self) -> int:
        return len(self.marked)

    @property
    def num_inputs(self) -> int:
        return 0

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    def get_output(self, index: int) -> Any:
        return self.marked[index]

    def get_layer(self, index: int) -> Any:
        return self.layers[index]

    def add_cast(self, tensor: Any, dtype: SimpleNamespace) -> Any:
        self.layers.append(layer(SimpleNamespace(name="unnamed", dtype=tensor.dtype, of=tensor)))
        return self.layers[-1]

    def mark_output(self, tensor: Any) -> None:
        self.marked.append(tensor)

    def unmark_output(self, tensor: Any) -> None:
        self.marked.remove(tensor)


def layer(output: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(name=f"layer of {output.name}", get_output=lambda _: output)


def tensor(name: str, kind: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, dtype=SimpleNamespace(name=kind))


@pytest.fixture(autouse=True)
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules,
        "tensorrt",
        SimpleNamespace(DataType=SimpleNamespace(INT32=SimpleNamespace(name="INT32"))),
    )


def test_a_converted_output_keeps_its_name() -> None:
    network = Network(tensor("y", "BOOL"), tensor("y2", "FLOAT"))
    assert convert_bool_outputs(network) == ("y",)
    assert sorted((t.name, t.dtype.name) for t in network.marked) == [("y", "INT32"), ("y2", "FLOAT")]
    assert convert_bool_outputs(network) == ()


def test_what_is_converted_is_left_as_it_is_whatever_type_tensorrt_says() -> None:
    network = Network(tensor("y", "BOOL"))
    convert_bool_outputs(network)
    network.marked[0].dtype = SimpleNamespace(name="BOOL")
    assert convert_bool_outputs(network) == ()
    assert [found.name for found in network.layers] == ["layer of y", "y__as_int32"]


def test_a_converted_mark_keeps_its_name() -> None:
    layers = [
        LayerFacts(i, "ELEMENTWISE", n, outputs=(TensorFacts(n, k),))
        for i, n, k in ((0, "p", "BOOL"), (1, "h", "FLOAT"))
    ]
    network = Network(tensor("p", "BOOL"), tensor("h", "FLOAT"))
    apply_marks(network, plan_marks(layers, ["p", "h"], [], [], bool_outputs=False))
    assert [(t.name, t.dtype.name) for t in network.marked] == [("p", "INT32"), ("h", "FLOAT")]
    assert network.marked[0].of.name == "p__bool"


@pytest.mark.parametrize(
    ("wanted", "marked"), [(["h", "folded"], ["y", "h"]), ([EVERY_TENSOR], ["y", "h", "k"])]
)
def test_tensors_of_a_network_are_marked_beside_its_outputs(wanted: list[str], marked: list[str]) -> None:
    names = ("y", "h", "k")
    layers = [
        LayerFacts(i, "ELEMENTWISE", n, outputs=(TensorFacts(n, "FLOAT"),)) for i, n in enumerate(names)
    ]
    network = Network(*(tensor(n, "FLOAT") for n in names))
    skipped = mark_tensors(network, layers, wanted, bool_outputs=True)
    assert [t.name for t in network.marked] == marked
    assert set(skipped) == {"folded"} & set(wanted)
