"""The LayerNorm extension: patterns and near misses, the check on real values, the pins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
import trtdebug_layernorm
from trtdebug_layernorm.pattern import find_norms

from trtdebug.plugins.testing import check_context, fix_context, run_check, run_fix
from trtdebug.plugins.types import PinPrecision

pytest_plugins = ["trtdebug.plugins.fixtures"]
MODELS = Path(__file__).resolve().parents[3] / ".." / "shared" / "models"

MEAN = "m = ReduceMean <axes = [-1]> (x) d = Sub(x, m) "
SQUARES = "s = Pow(d, two) v = ReduceMean <axes = [-1]> (s) "
PRODUCTS = "s = Mul(d, d) v = ReduceMean <axes = [-1]> (s) "
END = "e = Add(v, eps) r = Sqrt(e) "
LAYERNORMS = {
    "pow": MEAN + SQUARES + END + "y = Div(d, r)",
    "mul": MEAN + PRODUCTS + END + "y = Div(d, r)",
    "sum and division": "t = ReduceSum(x, axis) m = Div(t, n) d = Sub(x, m) s = Mul(d, d) "
    "q = ReduceSum(s, axis) "
    "v = Div(q, n) " + END + "y = Div(d, r)",
    "reciprocal": MEAN
    + "s = Pow(d, two) v = ReduceMean <axes = [-1]> (s) "
    + END
    + "i = Reciprocal(r) y = Mul(d, i)",
    "as Keras writes it": MEAN
    + PRODUCTS
    + END
    + "i = Reciprocal(r) a = Mul(x, i) b = Mul(m, i) y = Sub(a, b)",
    "two moments": MEAN + "s = Mul(x, x) q = ReduceMean <axes = [-1]> (s) "
    "mm = Mul(m, m) v0 = Sub(q, mm) v = Relu(v0) " + END + "y = Div(d, r)",
}
RMSNORMS = {
    "rms": "s = Pow(x, two) v = ReduceMean <axes = [-1]> (s) " + END + "y = Div(x, r)",
    "rms, 1 / root": "s = Mul(x, x) v = ReduceMean <axes = [-1]> (s) "
    + END
    + "i = Div(one, r) y = Mul(x, i)",
    "rms with casts": "c = Cast <to = 1> (x) s = Pow(c, two) v = ReduceMean <axes = [-1]> (s) "
    + END
    + "i = Reciprocal(r) y = Mul(i, c)",
}
NEAR_MISSES = {
    "exponent 3": MEAN + "s = Pow(d, three) v = ReduceMean <axes = [-1]> (s) " + END + "y = Div(d, r)",
    "the mean of x itself": MEAN + "v = ReduceMean <axes = [-1]> (x) " + END + "y = Div(d, r)",
    "square of something else": MEAN
    + "z = Exp(x) s = Mul(z, z) v = ReduceMean <axes = [-1]> (s) "
    + END
    + "y = Div(d, r)",
    "product of two": MEAN + "s = Mul(d, x) v = ReduceMean <axes = [-1]> (s) " + END + "y = Div(d, r)",
    "x over its deviation, mean left in": MEAN + PRODUCTS + END + "y = Div(x, r)",
    "a standard deviation": MEAN + "s = Mul(d, d) v = ReduceMean <axes = [-1]> (s) " + END + "y = Add(x, r)",
    "a spectrum": "s = Mul(x, x) z = Exp(x) q = Mul(z, z) v = Add(s, q) " + END + "y = Div(x, r)",
    "no reduction": MEAN + "v = Mul(d, d) " + END + "y = Div(d, r)",
    "a sum that is not scaled": "s = Mul(x, x) v = ReduceSum(s, axis) " + END + "y = Div(x, r)",
    "no epsilon": MEAN + "s = Mul(d, d) v = ReduceMean <axes = [-1]> (s) r = Sqrt(v) y = Div(d, r)",
    "the root divided by": MEAN + "s = Mul(d, d) v = ReduceMean <axes = [-1]> (s) " + END + "y = Div(r, d)",
    "a constant exponent that is computed": MEAN
    + "w = Abs(x) s = Pow(d, w) v = ReduceMean <axes = [-1]> (s) "
    + END
    + "y = Div(d, r)",
}


def model_of(body):
    return onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1, 64] x) => (float[1, 64] y) '
        "<float two = {2.0}, float three = {3.0}, float one = {1.0}, float eps = {1e-6}, float n = {64.0}, "
        f"int64[1] axis = {{-1}}> {{ {body} }}"
    )


def sample(scale):
    """A row of +scale and -scale: mean 0, so that every square is scale² and their sum 64 scale²."""
    return {"x": np.tile(np.array([scale, -scale], np.float32), 32)[None]}


@pytest.fixture
def check(trtdebug_plugin):
    return trtdebug_plugin(trtdebug_layernorm).checks()["layernorm-overflow"]


@pytest.fixture
def fix(trtdebug_plugin):
    return trtdebug_plugin(trtdebug_layernorm).fixes()["layernorm-pin"]


def norms_of(body):
    context = check_context(model_of(body))
    return find_norms(context.model, context.index)


@pytest.mark.parametrize("body", LAYERNORMS.values(), ids=LAYERNORMS)
def test_finds_layernorms(body):
    (norm,) = norms_of(body)
    assert norm.kind == "LayerNorm"
    assert {"node_of_s", "node_of_v", "node_of_e", "node_of_r"} <= set(norm.nodes)
    assert not {"node_of_m", "node_of_d", "node_of_y", "node_of_t", "node_of_i"} & set(norm.nodes)


@pytest.mark.parametrize("body", RMSNORMS.values(), ids=RMSNORMS)
def test_finds_rmsnorms(body):
    (norm,) = norms_of(body)
    assert norm.kind == "RMSNorm"
    assert set(norm.nodes) == {"node_of_s", "node_of_v", "node_of_e", "node_of_r"}


@pytest.mark.parametrize("body", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_leaves_near_misses_alone(body, check):
    assert norms_of(body) == ()
    assert run_check(check, check_context(model_of(body), sample(1000))) == ()


@pytest.mark.parametrize(
    ("scale", "severity", "named"),
    [
        (89, None, ()),  # 89² = 7921 < 65504 / 8
        (92, "warning", ("node_of_s", "node_of_v", "node_of_e", "node_of_r")),
        (255, "warning", ("node_of_s", "node_of_v", "node_of_e", "node_of_r")),
        (257, "error", ("node_of_s", "node_of_v", "node_of_e", "node_of_r")),
    ],
)
def test_judges_by_the_values_that_the_reference_has(check, scale, severity, named):
    findings = run_check(check, check_context(model_of(LAYERNORMS["pow"]), sample(scale)))
    assert [finding.severity for finding in findings] == [severity] * bool(severity)
    for finding in findings:
        assert f"{scale**2:.4g}" in finding.message
        assert finding.node == named[0]
        assert all(name in finding.message for name in named)


def test_names_only_the_nodes_that_read_or_write_what_overflows(check):
    body = LAYERNORMS["sum and division"]  # 64 squares of 40² = 102400, each of them and their mean fits
    (finding,) = run_check(check, check_context(model_of(body), sample(40)))
    assert finding.severity == "error"
    assert "1.024e+05" in finding.message
    assert finding.message.endswith("at node_of_q, node_of_v.")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_says_nothing_of_formats_with_a_wide_range(check, precision):
    assert run_check(check, check_context(model_of(LAYERNORMS["pow"]), sample(1000), precision)) == ()


def test_says_that_it_could_not_tell_without_values(check):
    (finding,) = run_check(check, check_context(model_of(LAYERNORMS["pow"])))
    assert (finding.severity, "unknown" in finding.message) == ("info", True)


def test_nonfinite_values_count_as_overflow(check):
    (finding,) = run_check(check, check_context(model_of(LAYERNORMS["pow"]), sample(np.inf)))
    assert finding.severity == "error"


def test_pins_square_to_root_of_the_guilty_norm_alone(fix):
    other = (
        "s2 = Mul(y, y) v2 = ReduceMean <axes = [-1]> (s2) e2 = Add(v2, eps) r2 = Sqrt(e2) y2 = Div(y, r2) "
    )
    model = model_of(LAYERNORMS["pow"] + " " + other)
    (proposal,) = run_fix(fix, fix_context(model, [["node_of_s"]]))
    first = ("node_of_s", "node_of_v", "node_of_e", "node_of_r")
    assert (proposal.kind, proposal.interventions, proposal.cost) == (
        "pin",
        (PinPrecision(first, "fp32"),),
        4,
    )
    (both,) = run_fix(fix, fix_context(model, [["node_of_v"], ["node_of_e2"]]))
    assert set(both.interventions[0].nodes) == {
        *first,
        "node_of_s2",
        "node_of_v2",
        "node_of_e2",
        "node_of_r2",
    }


def test_proposes_nothing_where_no_norm_is_guilty_or_none_can_be_pinned(fix):
    model = model_of(LAYERNORMS["pow"])
    assert run_fix(fix, fix_context(model, [["node_of_m"], ["node_of_y"]])) == ()
    assert run_fix(fix, fix_context(model, [["node_of_s"]], realises={"Knob"})) == ()


def real(name):
    path = MODELS / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{name} is not there")
    return onnx.load(path)


def test_magika_overflows_in_the_sum_of_squares_of_its_second_norm(check, fix):
    model = real("magika_standard_v3_3")
    data = {"bytes": np.random.default_rng(0).integers(0, 257, (4, 2048)).astype(np.int32)}
    context = check_context(model, data)
    first, second = find_norms(context.model, context.index)
    (finding,) = run_check(check, context)
    assert finding.severity == "error"
    named = [
        node for node in (*first.nodes, *second.nodes) if f"{node}," in finding.message.replace(".", ",")
    ]
    assert [name.rpartition("MagikaV2/")[2] for name in named] == [
        "LayerNorm_1/Sum_1",
        "LayerNorm_1/truediv_1",
    ]
    (proposal,) = run_fix(fix, fix_context(model, [named]))
    assert proposal.interventions == (PinPrecision(second.nodes, "fp32"),)


def test_minilm_has_13_layernorms_none_beyond_the_range(check):
    data = {
        "input_ids": np.random.default_rng(0).integers(100, 4096, (2, 64)),
        "attention_mask": np.ones((2, 64), np.int64),
    }
    context = check_context(real("minilm_l6_v4096"), data)
    norms = find_norms(context.model, context.index)
    assert [(norm.kind, len(norm.nodes)) for norm in norms] == [("LayerNorm", 4)] * 13
    assert {finding.severity for finding in run_check(check, context)} <= {"warning"}


def test_magika_fast_has_one_as_keras_writes_it():
    context = check_context(real("magika_fast_v2_1"))
    (norm,) = find_norms(context.model, context.index)
    assert (norm.kind, len(norm.nodes)) == ("LayerNorm", 4)


def test_silero_has_none():
    context = check_context(real("silero_vad_16k_static"))
    assert find_norms(context.model, context.index) == ()
