"""Layer by layer: the layer that was spoiled is the worst, and what is float is really the float model."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from trtdebug_quant.bench import Bench
from trtdebug_quant.layers import find_layers
from trtdebug_quant.measure import measure
from trtdebug_quant.sqnr import worst

from trtdebug.graph.names import name_nodes
from trtdebug.graph.view import GraphView

LAYERS = ["n_c1", "n_c2", "n_c3", "n_s", "n_m"]
"""Add reads what conv2 reads quantised."""


def view(model):
    name_nodes(model)
    return GraphView(model)


def bench(model, sample, original=None):
    return Bench(view(model), original, sample)


def measured(model, sample, original=None):
    return measure(bench(model, sample, original), [sample])


def test_finds_the_layers(quantised):
    assert [layer.node for layer in find_layers(view(quantised))] == LAYERS


def test_a_healthy_model_loses_a_percent_everywhere(quantised, network, sample):
    opened = bench(quantised, sample, network)
    assert opened.misfit == ""
    assert opened.original is not None
    found = measure(opened, [sample])
    assert worst(found.outputs) > 30
    for loss in found.losses:
        assert 30 < loss.result.db < 70, loss.layer.node
        assert worst(loss.outputs) > 30


@pytest.mark.parametrize(
    ("scale", "layers"),
    [
        ("x_scale", {"n_c1"}),
        ("r1_scale", {"n_c2", "n_s"}),
        ("r2_scale", {"n_c3"}),
        ("f_scale", {"n_m"}),
        ("w1_scale", {"n_c1"}),
        ("w3_scale", {"n_c3"}),
        ("w4_scale", {"n_m"}),
    ],
)
@pytest.mark.parametrize("factor", [0.1, 20])
def test_the_layers_that_read_a_spoiled_tensor_are_the_worst(
    quantised, network, sample, spoiled, scale, layers, factor
):
    found = measured(spoiled(quantised, **{scale: factor}), sample, network)
    guilty = {loss.layer.node for loss in found.losses[: len(layers)]}
    assert guilty == layers
    operand, sqnr = min(found.losses[0].operands.items(), key=lambda item: item[1].db)
    assert operand.removesuffix("_quantized") == scale.removesuffix("_scale")
    assert sqnr.db < 20


def test_each_layer_is_measured_behind_float_ones(quantised, network, sample, spoiled):
    """What a spoiled layer does to those behind it is not theirs."""
    good, bad = (measured(m, sample, network) for m in (quantised, spoiled(quantised, x_scale=0.1)))
    before = {loss.layer.node: loss.result.db for loss in good.losses}
    after = {loss.layer.node: loss.result.db for loss in bad.losses}
    assert {name for name in before if after[name] != pytest.approx(before[name])} == {"n_c1"}


def test_without_the_float_model_the_rounding_of_stored_weights_is_not_known(quantised, sample, spoiled):
    found = measured(spoiled(quantised, w3_scale=20), sample)
    assert all("w3_quantized" not in loss.operands for loss in found.losses)
    (conv,) = (loss for loss in found.losses if loss.layer.node == "n_c3")
    assert conv.result.db > 30  # what its input loses


def test_another_float_model_is_told_and_its_weights_are_left_out(quantised, network, sample):
    other = onnx.ModelProto()
    other.CopyFrom(network)
    other.graph.node[1].op_type = "Neg"
    found = bench(quantised, sample, other)
    assert "not those of the float model" in found.misfit
    assert found.original is None
    renamed = onnx.ModelProto()
    renamed.CopyFrom(network)
    renamed.graph.output[0].name = renamed.graph.node[-1].output[0] = "z"
    assert "none of its float outputs" in bench(quantised, sample, renamed).misfit


def test_a_relu_that_the_quantiser_folded_into_a_pair_is_put_back(by_default, network, sample):
    assert sum(node.op_type == "Relu" for node in by_default.graph.node) < 2
    assert bench(by_default, sample, network).misfit == ""
    assert worst(measured(by_default, sample, network).outputs) > 25


def test_samples_add_up(quantised, network, sample):
    other = {"x": np.float32(3) * sample["x"]}
    opened = bench(quantised, sample, network)
    one, two, both = (measure(opened, s) for s in ([sample], [other], [sample, other]))
    assert both.samples == 2
    for name in LAYERS:
        low, high, mixed = (
            next(loss.result.db for loss in m.losses if loss.layer.node == name) for m in (one, two, both)
        )
        assert min(low, high) <= mixed <= max(low, high)


def test_the_float_model_stays_as_it_is_where_its_ir_version_is_newer(quantised, network, sample):
    newer = onnx.ModelProto()
    newer.CopyFrom(network)
    newer.ir_version = 11
    before = newer.SerializeToString(deterministic=True)
    assert bench(quantised, sample, newer).misfit == ""
    assert newer.SerializeToString(deterministic=True) == before
