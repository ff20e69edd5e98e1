"""Lets the tests run from a checkout, installed or not; a network, quantised by onnxruntime."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

WEIGHTS = {
    "w1": (8, 3, 3, 3),
    "b1": (8,),
    "w2": (8, 8, 3, 3),
    "b2": (8,),
    "w3": (8, 8, 3, 3),
    "b3": (8,),
    "w4": (8, 10),
    "b4": (10,),
}
"""Every layer is called by what it writes, "n_f1" for the one that writes `f1`."""
BODY = """
    c1 = Conv <pads = [1, 1, 1, 1]> (x, w1, b1) r1 = Relu(c1)
    c2 = Conv <pads = [1, 1, 1, 1]> (r1, w2, b2) r2 = Relu(c2)
    c3 = Conv <pads = [1, 1, 1, 1]> (r2, w3, b3) s = Add(c3, r1)
    g = GlobalAveragePool(s) f = Flatten(g) m = MatMul(f, w4) y = Add(m, b4)
"""


@pytest.fixture(scope="session")
def quantise_example():
    """The module examples/quantise.py."""
    spec = importlib.util.spec_from_file_location("quantise_example", HERE / "examples" / "quantise.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def network() -> onnx.ModelProto:
    """A small residual network: input x float32 [2, 3, 12, 12], output y float32 [2, 10]."""
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> g (float[2, 3, 12, 12] x) => (float[2, 10] y) {{ {BODY} }}'
    )
    random = np.random.default_rng(0)
    for name, shape in WEIGHTS.items():
        scale = 1.4 / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 10)
        value = random.normal(0, scale, shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    for node in model.graph.node:
        node.name = f"n_{node.output[0]}"
    return model


@pytest.fixture(scope="session")
def sample() -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(100).normal(size=(2, 3, 12, 12)).astype(np.float32)}


@pytest.fixture(scope="session")
def quantised(network, quantise_example, tmp_path_factory) -> onnx.ModelProto:
    """`network` as the example quantises it: what Conv and MatMul read is INT8."""
    folder = tmp_path_factory.mktemp("quantised")
    onnx.save(network, folder / "float.onnx")
    quantise_example.quantise(folder / "float.onnx", folder / "int8.onnx")
    return onnx.load(folder / "int8.onnx")


@pytest.fixture(scope="session")
def by_default(network, tmp_path_factory, quantise_example) -> onnx.ModelProto:
    """`network` as onnxruntime quantises without any option: asymmetric, every tensor, biases, too, no Relu left."""
    from onnxruntime.quantization import quantize_static

    folder = tmp_path_factory.mktemp("default")
    onnx.save(network, folder / "float.onnx")
    quantize_static(
        folder / "float.onnx", folder / "uint8.onnx", quantise_example.Normal(network), per_channel=True
    )
    return onnx.load(folder / "uint8.onnx")


@pytest.fixture(scope="session")
def spoiled() -> Callable[..., onnx.ModelProto]:
    """`spoiled(model, r2_scale=0.05)`: the model with constants replaced: a factor, or a function of the value."""

    def spoil(model: onnx.ModelProto, **changes) -> onnx.ModelProto:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        for name, change in changes.items():
            (tensor,) = (t for t in copy.graph.initializer if t.name == name)
            value = numpy_helper.to_array(tensor).copy()
            new = change(value) if callable(change) else value * np.asarray(change, value.dtype)
            tensor.CopyFrom(numpy_helper.from_array(np.asarray(new), name))
        return copy

    return spoil
