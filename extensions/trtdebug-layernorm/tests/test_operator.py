"""The rewrite to LayerNormalization: equal on random shapes, near misses left alone, real models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
import trtdebug_layernorm
from trtdebug_layernorm.operator import REWRITE

from trtdebug.graph.names import name_nodes
from trtdebug.graph.rewrite import apply
from trtdebug.plugins.testing import fix_context, load_plugin, run_fix
from trtdebug.plugins.types import ReplaceGraph

MODELS = Path(__file__).resolve().parents[3] / ".." / "shared" / "models"

CENTRE = "m = ReduceMean <axes = AXES> (x) d = Sub(x, m) "
SQUARE = "s = Mul(d, d) v = ReduceMean <axes = AXES> (s) e = Add(v, eps) r = Sqrt(e) "
FORMS = {
    "plain": CENTRE + SQUARE + "y = Div(d, r)",
    "scale": CENTRE + SQUARE + "n = Div(d, r) y = Mul(n, gamma)",
    "bias": CENTRE + SQUARE + "n = Div(d, r) y = Add(beta, n)",
    "both": CENTRE + SQUARE + "n = Div(d, r) g = Mul(gamma, n) y = Add(g, beta)",
    "a number for each": CENTRE + SQUARE + "n = Div(d, r) g = Mul(n, two) y = Add(g, eps)",
    "reciprocal": CENTRE + SQUARE + "i = Reciprocal(r) n = Mul(i, d) g = Mul(n, gamma) y = Add(g, beta)",
    "scale first": CENTRE + SQUARE + "i = Reciprocal(r) j = Mul(i, gamma) g = Mul(d, j) y = Add(g, beta)",
    "pow": CENTRE + SQUARE.replace("Mul(d, d)", "Pow(d, two)") + "n = Div(d, r) y = Mul(n, gamma)",
}
NEAR_MISSES = {
    "not the last axis": FORMS["plain"].replace("AXES", "[0]"),
    "a mean over other axes": FORMS["plain"].replace("AXES", "[0]", 1).replace("AXES", "[-1]"),
    "the mean left in": CENTRE + SQUARE + "y = Div(x, r)",
    "the root over it": CENTRE + SQUARE + "y = Div(r, d)",
    "RMSNorm": "d = Identity(x) " + SQUARE + "y = Div(d, r)",
    "an epsilon that is computed": CENTRE
    + SQUARE.replace("eps", "w").replace("e =", "w = Abs(m) e =")
    + "y = Div(d, r)",
    "an epsilon after the root": CENTRE
    + "s = Mul(d, d) v = ReduceMean <axes = AXES> (s) q = Sqrt(v) r = Add(q, eps) y = Div(d, r)",
    "the centred tensor is read": CENTRE + SQUARE + "n = Div(d, r) y = Add(n, d)",
    "the mean is an output": CENTRE.replace("m =", "o =").replace("x, m", "x, o") + SQUARE + "y = Div(d, r)",
    "the root is read twice": CENTRE + SQUARE + "n = Div(d, r) y = Mul(n, r)",
}


def model_of(body, shape, axes=(-1,), opset=13, sizes=None):
    """`sizes`: of gamma and beta, those of the axes by default."""
    axes, sizes = list(axes), sizes or [shape[axis] for axis in axes]
    outputs = "float y, float o" if "o = Red" in body else "float y"
    dims = ", ".join(map(str, shape))
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}]> g (float[{dims}] x) => ({outputs}) '
        f"{{ {body.replace('AXES', str(axes))} }}"
    )
    random = np.random.default_rng(0)
    values = {
        "two": np.float32(2),
        "eps": np.float32(1e-5),
        "gamma": random.normal(1, 0.3, sizes).astype(np.float32),
        "beta": random.normal(0, 0.3, sizes).astype(np.float32),
    }
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(value), name)
        for name, value in values.items()
        if name in body
    )
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    name_nodes(model)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def run(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


def assert_equal(model, result, feeds, tolerance=1e-6):
    onnx.checker.check_model(result, full_check=True)
    assert result.ir_version == model.ir_version
    for one, other in zip(run(model, feeds), run(result, feeds), strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(other, one, rtol=0, atol=tolerance * float(np.abs(one).max()))


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_equal_on_100_random_shapes(body):
    for seed in range(100):
        random = np.random.default_rng(seed)
        shape = [int(n) for n in random.integers(2, 9, random.integers(1, 5))]
        count = int(random.integers(1, len(shape) + 1))
        axes = range(-count, 0) if random.random() < 0.5 else range(len(shape) - count, len(shape))
        model = model_of(body, shape, axes, int(random.choice([13, 14, 15, 17])))
        x = random.normal(0, 10.0 ** random.uniform(-2, 2), shape)
        x -= 0.9 * x.mean(
            tuple(axes), keepdims=True
        )  # onnxruntime's operator takes E[x]^2 off E[x * x]: small means
        result = apply(REWRITE, model)
        assert [node.op_type for node in result.graph.node] == ["LayerNormalization"]
        assert [opset.version for opset in result.opset_import] == [17]
        assert_equal(model, result, {"x": x.astype(np.float32)})


@pytest.mark.parametrize("body", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_leaves_near_misses_alone(body):
    model = model_of(body, [6, 6])
    before = model.SerializeToString()
    assert apply(REWRITE, model) is None
    assert model.SerializeToString() == before


def test_a_size_that_is_not_known_is_left_alone():
    assert apply(REWRITE, model_of(FORMS["plain"], [2, "n"], sizes=[1])) is None


@pytest.mark.parametrize("sizes", [[6, 1], [2, 6]], ids=["a factor a row", "a factor an element"])
def test_a_scale_of_another_shape_stays_behind_the_operator(sizes):
    shape = [sizes[0], 6]
    model = model_of(FORMS["both"], shape, sizes=sizes)
    result = apply(REWRITE, model)
    assert [node.op_type for node in result.graph.node] == ["LayerNormalization", "Mul", "Add"]
    assert_equal(model, result, {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)})


def test_an_operator_that_another_opset_understands_otherwise_keeps_the_model_as_it_is():
    body = FORMS["plain"].replace("y =", "w =") + " y = Softmax(w)"
    assert apply(REWRITE, model_of(body, [2, 6], opset=12)) is None
    assert apply(REWRITE, model_of(body, [2, 6], opset=13)) is not None


def test_a_fix_for_guilty_norms_alone():
    kept = []

    def keep(model):
        kept.append(model)
        return ReplaceGraph("0.onnx", "00")

    fix = load_plugin(trtdebug_layernorm).fixes()["layernorm-operator"]
    second = (
        " m2 = ReduceMean <axes = AXES> (y) d2 = Sub(y, m2) s2 = Mul(d2, d2) v2 = ReduceMean <axes = AXES> (s2) "
        "e2 = Add(v2, eps) r2 = Sqrt(e2) z = Div(d2, r2)"
    )
    model = model_of(FORMS["plain"] + second, [2, 6])
    (proposal,) = run_fix(fix, fix_context(model, [["node_of_s2"]], keep_model=keep))
    assert (proposal.kind, proposal.interventions) == ("rewrite", (ReplaceGraph("0.onnx", "00"),))
    assert proposal.summary.endswith("at 1 place")
    assert proposal.cost == 8
    assert [node.op_type for node in kept[0].graph.node].count("LayerNormalization") == 1
    assert run_fix(fix, fix_context(model, [["node_of_nothing"]], keep_model=keep)) == ()


@pytest.mark.parametrize(("name", "places"), [("magika_standard_v3_3", 1), ("minilm_l6_v4096", 13)])
def test_real_models(name, places):
    """Magika's other norm is over an axis that is not the last."""
    path = MODELS / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{name} is not there")
    model = onnx.load(path)
    name_nodes(model)
    random = np.random.default_rng(0)
    feeds = {
        "magika_standard_v3_3": {"bytes": random.integers(0, 257, (4, 2048)).astype(np.int32)},
        "minilm_l6_v4096": {
            "input_ids": random.integers(100, 4096, (2, 64)),
            "attention_mask": np.ones((2, 64), np.int64),
        },
    }[name]
    result = apply(REWRITE, model)
    assert [node.op_type for node in result.graph.node].count("LayerNormalization") == places
    assert_equal(model, result, feeds, 1e-5)
