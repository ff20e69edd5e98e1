"""Small models of every kind of shape and type that a backend has to cope with, and samples for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.graph.load import save_model
from trtdebug.oracle.tolerance import Limits
from trtdebug.session.job import Job, TensorRef
from trtdebug.session.perform import perform
from trtdebug.session.tensors import TensorStore

F32, F64, F16 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16
I64, BOOL, U8, I8 = TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8, TensorProto.INT8
RNG = np.random.default_rng(11)

Value = tuple[str, int, Sequence[int | str]]


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return RNG.normal(size=shape).astype(dtype)


def node(op: str, inputs: str, outputs: str, name: str, **attributes: Any) -> onnx.NodeProto:
    """A node; names of tensors are separated by blanks."""
    return helper.make_node(op, inputs.split(), outputs.split(), name, **attributes)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    weights: dict[str, np.ndarray] | None = None,
    opset: int = 13,
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """A model of IR 8, which all versions of TensorRT and onnxruntime read."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*v) for v in inputs],
        [helper.make_tensor_value_info(*v) for v in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@dataclass(frozen=True)
class ShapeCase:
    """A model and the samples that one engine of it has to take.

    Attributes:
        rms: relative RMS error that it may have.
    """

    model: onnx.ModelProto
    samples: Sequence[dict[str, np.ndarray]]
    precision: Any = "fp32"
    rms: float = 1e-5
    profiles: dict[str, Profile] = field(default_factory=dict)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(o.name for o in self.model.graph.output)

    def job(self, path: Path, **changes: Any) -> Job:
        """The job that runs all samples in one engine, built cheaply."""
        fields: dict[str, Any] = {
            "purpose": "test",
            "backend": "under test",
            "model": str(path),
            "model_sha256": "0",
            "inputs_sha256": "1",
            "samples": tuple(f"s{i}" for i in range(len(self.samples))),
            "options": BuildOptions(
                precision=self.precision, tf32=False, optimization_level=0, profiles=self.profiles
            ),
            "limits": Limits(rms=self.rms),
            "feeds": {name: TensorRef(name) for name in self.samples[0]},
            "expected": {name: TensorRef(name) for name in self.outputs},
        }
        return Job(**(fields | changes))


def recorded(case: ShapeCase, folder: Path) -> Path:
    """Makes `folder` a session in which the reference has run on every sample; returns the model's path."""
    path = folder / "model.onnx"
    save_model(case.model, path)
    store = TensorStore(folder / "tensors")
    for number, sample in enumerate(case.samples):
        for name, value in sample.items():
            store.put(f"s{number}", TensorRef(name), value)
    own = perform(case.job(path, expected=None, keep="all", record=True), OnnxruntimeBackend(), folder)
    assert own.status == "pass", own.reason
    return path


def _nonzero() -> ShapeCase:
    samples = [
        np.float32(v) for v in ([[0, 1, 0], [2, 0, 3]], [[0, 0, 0], [0, 0, 0]], [[1, 1, 1], [1, 1, 1]])
    ]
    nodes = [node("NonZero", "x", "y", "nonzero")]
    return ShapeCase(model(nodes, [("x", F32, [2, 3])], [("y", I64, [2, "k"])]), [{"x": x} for x in samples])


def _nms() -> ShapeCase:
    """Three far boxes and one over another; how many survive depends on the scores."""
    boxes = np.float32([[[0, 0, 1, 1], [0, 0, 1, 1.05], [5, 5, 6, 6], [9, 9, 10, 10]]])
    scores = [np.float32([[s]]) for s in ([0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.1, 0.2], [0.1, 0.1, 0.1, 0.1])]
    nodes = [node("NonMaxSuppression", "boxes scores most iou least", "kept", "nms")]
    weights = {"most": np.int64([10]), "iou": np.float32([0.5]), "least": np.float32([0.3])}
    inputs = [("boxes", F32, [1, 4, 4]), ("scores", F32, [1, 1, 4])]
    made = model(nodes, inputs, [("kept", I64, ["k", 3])], weights)
    return ShapeCase(made, [{"boxes": boxes, "scores": s} for s in scores])


def _top_half() -> ShapeCase:
    nodes = [
        node("Shape", "x", "shape", "shape"),
        node("Gather", "shape one", "length", "length", axis=0),
        node("Div", "length two", "k", "half"),
        node("TopK", "x k", "values indices", "topk"),
    ]
    weights = {"one": np.int64([1]), "two": np.int64([2])}
    outputs = [("values", F32, [2, "k"]), ("indices", I64, [2, "k"])]
    made = model(nodes, [("x", F32, [2, "n"])], outputs, weights)
    return ShapeCase(made, [{"x": normal(2, n)} for n in (6, 8, 4)])


def _expand() -> ShapeCase:
    made = model(
        [node("Expand", "x target", "y", "expand")],
        [("x", F32, [2, 1]), ("target", I64, [2])],
        [("y", F32, ["a", "b"])],
    )
    return ShapeCase(made, [{"x": normal(2, 1), "target": np.int64(t)} for t in ([2, 5], [2, 3], [2, 9])])


def _reshape() -> ShapeCase:
    made = model(
        [node("Reshape", "x target", "y", "reshape")],
        [("x", F32, [12]), ("target", I64, ["rank"])],
        [("y", F32, ["a", "b"])],
    )
    return ShapeCase(made, [{"x": normal(12), "target": np.int64(t)} for t in ([2, -1], [4, -1])])


def _range() -> ShapeCase:
    nodes = [node("Range", "zero limit one", "r", "range"), node("Cast", "r", "y", "cast", to=F32)]
    weights = {"zero": np.array(0, np.int64), "one": np.array(1, np.int64)}
    made = model(nodes, [("limit", I64, [])], [("y", F32, ["n"])], weights)
    return ShapeCase(made, [{"limit": np.array(n, np.int64)} for n in (5, 2, 8)])


def _dense(name: str = "x") -> onnx.ModelProto:
    nodes = [
        helper.make_node("MatMul", [name, "w"], ["h"], "fc"),
        helper.make_node("Relu", ["h"], ["y"], "relu"),
    ]
    return model(nodes, [(name, F32, ["n", 8])], [("y", F32, ["n", 4])], {"w": normal(8, 4)})


def _two_inputs() -> ShapeCase:
    made = model(
        [node("Add", "a b", "y", "add")],
        [("a", F32, ["n", 3]), ("b", F32, ["n", 1])],
        [("y", F32, ["n", 3])],
    )
    profiles = {"a": Profile((1, 3), (2, 3), (8, 3)), "b": Profile((1, 1), (2, 1), (8, 1))}
    return ShapeCase(made, [{"a": normal(n, 3), "b": normal(n, 1)} for n in (4, 1, 8)], profiles=profiles)


def _image() -> ShapeCase:
    nodes = [node("Conv", "x w", "h", "conv", pads=[1, 1, 1, 1]), node("Relu", "h", "y", "relu")]
    made = model(
        nodes, [("x", F32, ["n", 3, "h", "w"])], [("y", F32, ["n", 4, "h", "w"])], {"w": normal(4, 3, 3, 3)}
    )
    return ShapeCase(made, [{"x": normal(*s)} for s in ((1, 3, 8, 6), (2, 3, 5, 9), (4, 3, 16, 4))])


def _empty_batch() -> ShapeCase:
    return ShapeCase(_dense(), [{"x": normal(n, 8)} for n in (4, 0, 7)])


def _empty_part() -> ShapeCase:
    nodes = [node("Concat", "a b", "c", "concat", axis=0), node("Mul", "c c", "y", "square")]
    made = model(nodes, [("a", F32, [0, 3]), ("b", F32, [2, 3])], [("y", F32, [2, 3])])
    return ShapeCase(made, [{"a": normal(0, 3), "b": normal(2, 3)}])


def _empty_inside() -> ShapeCase:
    """What is chosen by NonZero may be nothing; the sum of nothing is 0."""
    nodes = [
        node("NonZero", "x", "where", "nonzero"),
        node("Cast", "where", "f", "cast", to=F32),
        node("ReduceSum", "f axes", "y", "sum", keepdims=1),
    ]
    made = model(nodes, [("x", F32, [4])], [("y", F32, [1, 1])], {"axes": np.int64([1])})
    return ShapeCase(made, [{"x": np.float32(v)} for v in ([1, 0, 2, 3], [0, 0, 0, 0])])


def _scalars() -> ShapeCase:
    nodes = [node("Mul", "x two", "h", "double"), node("ReduceMean", "v", "m", "mean", keepdims=0),
             node("Add", "h m", "y", "add")]  # fmt: skip
    made = model(
        nodes, [("x", F32, []), ("v", F32, [5])], [("y", F32, []), ("m", F32, [])], {"two": np.float32(2)}
    )
    return ShapeCase(
        made,
        [{"x": np.array(3, np.float32), "v": normal(5)}, {"x": np.array(-1, np.float32), "v": normal(5)}],
    )


def _booleans() -> ShapeCase:
    nodes = [
        node("Where", "p x zero", "chosen", "where"),
        node("Greater", "x zero", "positive", "greater"),
        node("And", "p positive", "both", "and"),
        node("Not", "p", "other", "not"),
    ]
    outputs = [("chosen", F32, [2, 6]), ("both", BOOL, [2, 6]), ("other", BOOL, [2, 6])]
    made = model(nodes, [("p", BOOL, [2, 6]), ("x", F32, [2, 6])], outputs, {"zero": np.float32(0)})
    return ShapeCase(made, [{"p": RNG.random((2, 6)) > 0.5, "x": normal(2, 6)} for _ in range(2)])


def _bytes() -> ShapeCase:
    nodes = [
        node("Cast", "image", "f", "to_float", to=F32),
        node("Mul", "f half", "h", "halve"),
        node("Floor", "h", "whole", "floor"),
        node("Cast", "whole", "y", "to_byte", to=U8),
    ]
    outputs = [("h", F32, [1, 3, 4, 4]), ("y", U8, [1, 3, 4, 4])]
    made = model(nodes, [("image", U8, [1, 3, 4, 4])], outputs, {"half": np.float32(0.5)})
    return ShapeCase(made, [{"image": RNG.integers(0, 256, (1, 3, 4, 4)).astype(np.uint8)}])


def _int64() -> ShapeCase:
    nodes = [
        node("Gather", "table i", "rows", "gather"),
        node("Add", "i offset", "shifted", "shift"),
        node("ArgMax", "rows", "best", "argmax", axis=1, keepdims=0),
    ]
    outputs = [("rows", F32, [4, 5]), ("shifted", I64, [4]), ("best", I64, [4])]
    weights = {"table": normal(10, 5), "offset": np.int64([2**30])}
    made = model(nodes, [("i", I64, [4])], outputs, weights)
    return ShapeCase(made, [{"i": np.int64([9, 0, 3, 3])}, {"i": np.int64([1, 2, 3, 4])}])


def _halves() -> ShapeCase:
    nodes = [node("MatMul", "x w", "h", "fc"), node("Relu", "h", "y", "relu")]
    made = model(nodes, [("x", F16, [4, 8])], [("y", F16, [4, 4])], {"w": normal(8, 4, dtype=np.float16)})
    return ShapeCase(made, [{"x": normal(4, 8, dtype=np.float16)}], precision="fp16", rms=1e-2)


def _doubles() -> ShapeCase:
    nodes = [node("Mul", "x w", "h", "mul"), node("Sqrt", "h", "y", "sqrt")]
    made = model(nodes, [("x", F64, [4, 8])], [("y", F64, [4, 8])], {"w": np.float64(2.5)})
    return ShapeCase(made, [{"x": np.abs(normal(4, 8, dtype=np.float64))}])


def _named_like_a_pattern() -> ShapeCase:
    return ShapeCase(_dense("x[0]*?"), [{"x[0]*?": normal(n, 8)} for n in (2, 3)])


def _passed_through() -> ShapeCase:
    made = model(
        [node("Relu", "x", "y", "relu")], [("x", F32, ["n", 3])], [("y", F32, ["n", 3]), ("x", F32, ["n", 3])]
    )
    return ShapeCase(made, [{"x": normal(n, 3)} for n in (2, 3)])


def quantised(
    weights: np.ndarray, bias: np.ndarray, kernel_shape: Sequence[int] | None = (3, 3)
) -> onnx.ModelProto:
    """x -> Q -> DQ -> Conv (weights -> Q -> DQ) -> Relu -> Q -> DQ -> y, x of shape [1, 8, 16, 16].

    Args:
        kernel_shape: the Conv's attribute, as exporters write it; None = left out, which ONNX allows.
    """
    scale = np.abs(weights).max((1, 2, 3)) / 127
    nodes = [
        node("QuantizeLinear", "x sx zero", "xq", "quantise_x"),
        node("DequantizeLinear", "xq sx zero", "xd", "dequantise_x"),
        node("QuantizeLinear", "w sw zeros", "wq", "quantise_w", axis=0),
        node("DequantizeLinear", "wq sw zeros", "wd", "dequantise_w", axis=0),
        node("Conv", "xd wd bias", "h", "conv", pads=[1, 1, 1, 1], kernel_shape=kernel_shape),
        node("Relu", "h", "r", "relu"),
        node("QuantizeLinear", "r sr zero", "rq", "quantise_r"),
        node("DequantizeLinear", "rq sr zero", "y", "dequantise_r"),
    ]
    held = {
        "sx": np.float32(3 / 127),
        "sr": np.float32(4 / 127),
        "zero": np.int8(0),
        "sw": scale.astype(np.float32),
        "zeros": np.zeros(len(scale), np.int8),
        "w": weights,
        "bias": bias,
    }
    return model(nodes, [("x", F32, [1, 8, 16, 16])], [("y", F32, [1, 8, 16, 16])], held)


def unquantised(weights: np.ndarray, bias: np.ndarray) -> onnx.ModelProto:
    """The same without Q and DQ."""
    nodes = [node("Conv", "x w bias", "h", "conv", pads=[1, 1, 1, 1]), node("Relu", "h", "y", "relu")]
    shape = [1, 8, 16, 16]
    return model(nodes, [("x", F32, shape)], [("y", F32, shape)], {"w": weights, "bias": bias})


SHAPE_CASES = {
    "outputs of a size that the data decides": _nonzero,
    "boxes that are left over": _nms,
    "a k that is computed": _top_half,
    "an input that holds a shape": _expand,
    "an input that holds a shape of open length": _reshape,
    "an input that holds a length, a scalar": _range,
    "two inputs with profiles of the user's": _two_inputs,
    "images of three sizes": _image,
    "an empty batch among others": _empty_batch,
    "an empty input beside a full one": _empty_part,
    "an empty tensor inside": _empty_inside,
    "scalars": _scalars,
    "booleans in and out": _booleans,
    "bytes in and out": _bytes,
    "INT64 in, out and inside": _int64,
    "FP16 in and out": _halves,
    "FP64 in and out": _doubles,
    "a name like a pattern": _named_like_a_pattern,
    "an input that is an output too": _passed_through,
}
"""What is special about a case -> its maker."""
