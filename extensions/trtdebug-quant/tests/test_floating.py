"""Models with layers left in float."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper
from trtdebug_quant.floating import unquantised
from trtdebug_quant.layers import find_layers
from trtdebug_quant.original import Original
from trtdebug_quant.runner import Runner

from trtdebug.graph.names import name_nodes
from trtdebug.graph.view import GraphView

PAIR = "{0}q = QuantizeLinear({0}, s, z) {0}d = DequantizeLinear({0}q, s, z) "


def view(model):
    name_nodes(model)
    return GraphView(model)


def run(model, feeds):
    onnx.checker.check_model(model, full_check=True)
    runner = Runner(model)
    return runner.run(feeds, runner.outputs)


def ops(model):
    return [node.op_type for node in model.graph.node]


def parsed(body, ends="(float[2, 4] x) => (float[2, 4] y)"):
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]> g {ends} '
        f"<float s = {{0.05}}, int8 z = {{0}}, float sw = {{0.01}}> {{ {body} }}"
    )
    weight = np.random.default_rng(0).integers(-127, 128, (4, 4)).astype(np.int8)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    for node in model.graph.node:
        node.name = f"n_{node.output[0]}"
    return model


def test_all_layers_in_float_are_the_float_model(quantised, network, sample):
    graph = view(quantised)
    result = unquantised(graph, find_layers(graph), Original.of(network))
    assert ops(result) == ops(network)
    np.testing.assert_array_equal(run(result, sample)["y"], run(network, sample)["y"])
    assert {i.name for i in result.graph.initializer} & {i.name for i in quantised.graph.initializer} == {
        "b1",
        "b2",
        "b3",
        "b4",
    }


def test_one_layer_in_float_leaves_the_others_their_pairs(quantised, network, sample):
    graph = view(quantised)
    (layer,) = (x for x in find_layers(graph) if x.node == "n_c2")
    result = unquantised(graph, [layer], Original.of(network))
    # of conv2 the weight's DequantizeLinear goes; its input's pair stays for the Add
    assert ops(result).count("DequantizeLinear") == ops(quantised).count("DequantizeLinear") - 1
    assert ops(result).count("QuantizeLinear") == ops(quantised).count("QuantizeLinear")
    (conv,) = (node for node in result.graph.node if node.name == "n_c2")
    assert conv.input[0] == "r1"
    assert run(result, sample)["y"].shape == (2, 10)


def test_the_model_itself_stays_as_it_is(quantised, network):
    before = quantised.SerializeToString(deterministic=True)
    graph = view(quantised)
    unquantised(graph, find_layers(graph), Original.of(network))
    assert quantised.SerializeToString(deterministic=True) == before


def test_without_the_float_model_weights_are_what_their_integers_stand_for():
    model = parsed(PAIR.format("x") + "wd = DequantizeLinear(w, sw) y = MatMul(xd, wd)")
    graph = view(model)
    result = unquantised(graph, find_layers(graph), None)
    assert ops(result) == ["MatMul"]
    x = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    weight = numpy_helper.to_array(model.graph.initializer[-1]).astype(np.float32) * np.float32(0.01)
    np.testing.assert_allclose(run(result, {"x": x})["y"], x @ weight, rtol=1e-5)


def test_without_the_float_model_weights_in_fp8_keep_their_fractions():
    model = parsed("wd = DequantizeLinear(w8, sw) y = MatMul(x, wd)")
    model.opset_import[0].version = 19
    weight = np.random.default_rng(0).normal(size=(4, 4)).astype(ml_dtypes.float8_e4m3fn)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w8"))
    graph = view(model)
    x = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    result = unquantised(graph, find_layers(graph), None)
    assert ops(result) == ["MatMul"]
    np.testing.assert_allclose(run(result, {"x": x})["y"], run(model, {"x": x})["y"], rtol=1e-5)


@pytest.mark.parametrize(
    "body",
    [
        PAIR.format("x") + "wd = DequantizeLinear(w, sw) t = Transpose(wd) y = MatMul(xd, t)",
        PAIR.format("x") + "wd = DequantizeLinear(w, sw) r = Reshape(xd, k) y = MatMul(r, wd)",
    ],
    ids=["a transposed weight", "a reshaped input"],
)
def test_what_only_moves_an_operand_belongs_to_the_layer_behind_it(body):
    model = parsed(body)
    model.graph.initializer.append(numpy_helper.from_array(np.int64([2, 4]), "k"))
    graph = view(model)
    (layer,) = find_layers(graph)
    assert layer.node == "n_y"
    result = unquantised(graph, [layer], None)
    assert not {"QuantizeLinear", "DequantizeLinear"} & set(ops(result))
    run(result, {"x": np.ones((2, 4), np.float32)})


def test_a_pair_before_an_output_belongs_to_what_it_quantises():
    body = "r = Exp(x) " + PAIR.format("r").replace("rd =", "y =") + "v = Neg(y) u = Abs(v)"
    model = parsed(body, "(float[2, 4] x) => (float[2, 4] y, float[2, 4] u)")
    graph = view(model)
    exp, neg = find_layers(graph)
    assert (exp.node, exp.result, exp.operands) == ("n_r", "y", ())
    assert neg.node == "n_v"
    x = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    full = run(model, {"x": x})
    only = run(unquantised(graph, [exp], None), {"x": x})
    np.testing.assert_allclose(only["y"], np.exp(x), rtol=1e-6)
    np.testing.assert_array_equal(only["u"], full["u"])  # Neg keeps what it reads quantised
    both = run(unquantised(graph, [exp, neg], None), {"x": x})
    np.testing.assert_allclose(both["u"], np.exp(x), rtol=1e-6)


def test_a_relu_takes_the_place_of_a_pair_that_clips_what_is_negative(by_default, network, sample):
    graph = view(by_default)
    result = unquantised(graph, find_layers(graph), Original.of(network))
    np.testing.assert_allclose(run(result, sample)["y"], run(network, sample)["y"], rtol=1e-4, atol=1e-5)
