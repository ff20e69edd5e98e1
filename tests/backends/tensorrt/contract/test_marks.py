"""Which tensors of a real network become outputs of a real engine: TensorRT-RTX's parser and builder, without a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import bindings
import onnx.parser
import pytest

BUILD = """
import json, sys
import onnx
import tensorrt as trt
from trtdebug.backends.tensorrt.layers import read_layers
from trtdebug.backends.tensorrt.outputs import mark_tensors
from trtdebug.graph.index import GraphIndex

model = onnx.load(sys.argv[1])
logger = trt.Logger(trt.Logger.ERROR)
builder = trt.Builder(logger)
network = builder.create_network(1)
assert trt.OnnxParser(network, logger).parse(model.SerializeToString())
skipped = mark_tensors(network, read_layers(network), GraphIndex(model).tensors, True)
built = builder.build_serialized_network(network, builder.create_builder_config())
print(json.dumps([dict(skipped), [network.get_output(i).name for i in range(network.num_outputs)], built is not None]))
"""
IF_IN_IF = """<ir_version: 8, opset_import: ["" : 17]> g (bool c, float[4] x) => (float[4] y) {
    [cond] h = If (c) <
        then_branch = t () => (float[4] a) { a = Exp(x) },
        else_branch = e () => (float[4] b) {
            [in] b = If (c) <
                then_branch = t2 () => (float[4] q) { q = Sin(x) },
                else_branch = e2 () => (float[4] r) { r = Cos(x) }
            >
        }
    >
    [last] y = Relu(h)
}"""
LOOP = """<ir_version: 8, opset_import: ["" : 17]> g (bool c, float[4] x) => (float[4] y) {
    n = Constant <value = int64 {3}> ()
    [loop] h, s = Loop (n, c, x) <
        body = t (int64 i, bool k, float[4] v) => (bool k2, float[4] w, float[4] o) {
            k2 = Identity(k) w = Exp(v) o = Neg(v)
        }
    >
    [sum] q = ReduceSum <keepdims = 0> (s)
    [last] y = Add(h, q)
}"""


@pytest.mark.parametrize(
    ("text", "outputs", "skipped"),
    [(IF_IN_IF, {"y", "h"}, set()), (LOOP, {"y", "h", "s", "q"}, {"n"})],
    ids=["if in if", "loop"],
)
def test_what_leaves_a_body_can_be_an_output(
    text: str,
    outputs: set[str],
    skipped: set[str],
    child: Callable[[str], bindings.Child],
    tmp_path: Path,
) -> None:
    onnx.save(onnx.parser.parse_model(text), tmp_path / "model.onnx")
    said = child(bindings.RTX).run("-c", BUILD, str(tmp_path / "model.onnx")).stdout.splitlines()[-1]
    reasons, marked, built = json.loads(said)
    assert built
    assert set(marked) == outputs
    assert set(reasons) == skipped
