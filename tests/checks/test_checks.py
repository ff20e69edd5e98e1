"""Each built-in check on a model that it is for, and all of them on models that are right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper
from ort import run
from seed_models import (
    clamped_gemm,
    conv_with_double_weights,
    gemm_that_does_not_fit,
    identity_add_identity,
    mnist,
    model_of,
    node,
    omitted_inputs,
    shape_arithmetic,
    unknown_operator,
    unsorted_with_dead_ends,
    value,
    weight,
    with_if,
)

from trtdebug.checks import CHECKS
from trtdebug.core.finding import Finding
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.inputs import generate
from trtdebug.graph.limits import onnxruntime_limits
from trtdebug.graph.load import load_model, save_model
from trtdebug.plugins.types import CheckContext

Check = Callable[..., list[Finding]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Saves a model, loads it and runs all checks, or one by name; the model must stay as it is."""

    def run_checks(
        model: onnx.ModelProto, only: str = "", precision: str = "fp32", reference: bool = False
    ) -> list[Finding]:
        path = tmp_path / "model.onnx"
        save_model(model, path)
        loaded = load_model(path)
        before = loaded.SerializeToString()

        def tensors(names: Iterable[str]) -> Mapping[str, np.ndarray]:
            return run(loaded, generate(loaded), names)

        context = CheckContext(
            path, loaded, GraphIndex(loaded), precision, reference=tensors if reference else None
        )
        findings = [f for one in CHECKS if not only or one.name == only for f in one.run(context)]
        assert loaded.SerializeToString() == before
        return findings

    return run_checks


def brief(findings: Iterable[Finding]) -> list[tuple[str, str, str | None]]:
    return [(finding.severity, finding.id, finding.node) for finding in findings]


@pytest.mark.parametrize(
    "build", [mnist, identity_add_identity, shape_arithmetic, omitted_inputs, with_if, clamped_gemm]
)
def test_right_models_have_no_findings(check: Check, build: Callable[[], onnx.ModelProto]) -> None:
    assert check(build()) == []


def test_names_of_checks_are_unique() -> None:
    assert len({one.name for one in CHECKS}) == len(CHECKS)
    assert all(one.summary for one in CHECKS)


def test_versions_that_onnxruntime_does_not_take(check: Check) -> None:
    """Seed T22 and 001-003 T14."""
    limits = onnxruntime_limits()
    assert limits is not None
    model = identity_add_identity()
    model.ir_version = limits.ir + 1
    model.opset_import[0].version = limits.opset + 1
    ir, opset = check(model, "versions")
    assert (ir.id, opset.id) == ("ir-version", "opset-version")
    assert f"IR version {limits.ir + 1}; onnxruntime {limits.version} takes at most {limits.ir}" in ir.message
    assert f"opset {limits.opset + 1}" in opset.message


def test_operators_that_onnx_does_not_know(check: Check) -> None:
    """Seed T14."""
    [finding] = check(unknown_operator())
    assert brief([finding]) == [("error", "unknown-operator", "unknown")]
    assert "UnknownNode" in finding.message


def test_operators_newer_than_the_opset(check: Check) -> None:
    model = model_of(
        [node("LayerNormalization", ["x", "s"], ["y"], "norm")],
        [value("x", [2, 4])],
        [value("y", [2, 4])],
        [weight("s", np.ones(4, np.float32))],
    )
    [finding] = check(model, "operators")
    assert "LayerNormalization (it came later than opset 13)" in finding.message
    assert finding.severity == "error"
    # onnxruntime has it in any opset, and its own tools write it so
    assert brief(check(model, reference=True)) == [("warning", "unknown-operator", "norm")]


@pytest.mark.parametrize(
    ("reference", "plugins", "severities"),
    [
        (False, (), ["error"]),
        (False, ("mine.so",), ["error"]),
        (True, (), ["warning"]),  # by --operators, say
        (True, ("mine.so",), []),
    ],
)
def test_custom_operators_without_a_domain(
    reference: bool, plugins: tuple[str, ...], severities: list[str]
) -> None:
    model = model_of([node("Mine", ["x"], ["y"], "mine")], [value("x", [1])], [value("y", [1])])
    runs = (lambda names: {}) if reference else None
    context = CheckContext(Path("m.onnx"), model, GraphIndex(model), "fp32", reference=runs, plugins=plugins)
    [operators] = [one for one in CHECKS if one.name == "operators"]
    assert [finding.severity for finding in operators.run(context)] == severities


def custom(domain: str = "nowhere") -> onnx.ModelProto:
    made = helper.make_node("Mine", ["x"], ["y"], "mine", domain=domain)
    model = model_of([made], [value("x", [1])], [value("y", [1])])
    model.opset_import.add(domain=domain, version=1)
    return model


def test_operators_of_other_domains(check: Check) -> None:
    """Seed 001-003 T4."""
    assert brief(check(custom())) == [("warning", "custom-operator", "mine")]


def test_a_node_that_holds_an_operator_of_another_domain_is_not_called_one(check: Check) -> None:
    own = helper.make_node("Mine", ["x"], ["t"], "inner", domain="nowhere")
    branch = helper.make_graph([own], "branch", [], [value("t", [1])])
    choose = helper.make_node("If", ["c"], ["y"], "choose", then_branch=branch, else_branch=branch)
    model = model_of([choose], [value("x", [1]), value("c", [], TensorProto.BOOL)], [value("y", [1])])
    model.opset_import.add(domain="nowhere", version=1)
    [finding] = check(model, "operators")
    assert finding.message.startswith("'choose' holds a nowhere::Mine")


def test_an_operator_of_onnx_that_tensorrt_lacks_needs_no_implementation_for_the_reference(
    check: Check,
) -> None:
    made = helper.make_node("Scaler", ["x"], ["y"], "scale", domain="ai.onnx.ml", offset=[0.0], scale=[2.0])
    model = model_of([made], [value("x", [1])], [value("y", [1])])
    model.opset_import.add(domain="ai.onnx.ml", version=3)
    [finding] = check(model, "operators")
    assert "'scale' is a ai.onnx.ml::Scaler, which TensorRT does not have" in finding.message
    assert finding.mitigation == "Name the library that implements it with --plugins."


def test_an_operator_of_another_domain_in_a_function_is_told_of_the_function(check: Check) -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17, "my" : 1, "nowhere" : 1]>
        g (float[4] x) => (float[4] y) { a = my.F(x) y = my.F(a) }
        <opset_import: ["" : 17, "nowhere" : 1], domain: "my"> F (p) => (r) { q = nowhere.Mine(p) r = Neg(q) }""")
    [finding] = check(model, "operators")
    assert (finding.id, finding.node) == ("custom-operator", None)
    assert finding.message.startswith("'my::F' holds a nowhere::Mine")
    assert check(model, "dimensions") == []


def test_functions_of_the_model_are_known_operators(check: Check) -> None:
    model = custom()
    model.functions.append(
        helper.make_function(
            "nowhere", "Mine", ["a"], ["b"], [node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 13)]
        )
    )
    assert check(model) == []


def test_operators_in_bodies(check: Check) -> None:
    model = with_if()
    branch = next(made for made in model.graph.node if made.op_type == "If")
    branch.attribute[0].g.node[0].op_type = "Strange"
    assert brief(check(model, "operators")) == [("error", "unknown-operator", "branch")]


def test_names_given_twice(check: Check) -> None:
    nodes = [node("Relu", ["x"], ["a"], "same"), node("Neg", ["a"], ["y"], "same")]
    model = model_of(nodes, [value("x", [1])], [value("y", [1])])
    assert brief(check(model)) == [("info", "duplicate-node-name", "same")]


def test_tensors_written_twice(check: Check) -> None:
    nodes = [node("Relu", ["x"], ["y"], "one"), node("Neg", ["x"], ["y"], "two")]
    model = model_of(nodes, [value("x", [1])], [value("y", [1])])
    assert brief(check(model, "names")) == [("error", "duplicate-tensor", "two")]
    model = model_of(nodes[:1], [value("x", [1])], [value("y", [1])], [weight("y", np.ones(1))])
    assert brief(check(model, "names")) == [("error", "duplicate-tensor", "one")]


def test_unsorted_nodes_and_dead_ends(check: Check) -> None:
    """Seed T11 and 001-003 T9."""
    assert brief(check(unsorted_with_dead_ends())) == [
        ("warning", "unsorted-nodes", "myAdd4"),
        ("error", "output-without-producer", "tensor4"),
        ("warning", "dead-input", "tensor3"),
    ]


def test_reads_of_what_nobody_writes(check: Check) -> None:
    model = model_of([node("Add", ["x", "ghost"], ["y"], "add")], [value("x", [1])], [value("y", [1])])
    [finding] = check(model, "dead-ends")
    assert brief([finding]) == [("error", "missing-tensor", "add")]
    assert "'ghost'" in finding.message


def test_a_wrong_declared_output_type(check: Check) -> None:
    """Seed T7: the ArgMax of the MNIST model is declared int32."""
    [finding] = check(mnist(argmax=TensorProto.INT32))
    assert brief([finding]) == [("error", "wrong-declared-type", "ArgMax-15")]
    assert "'tensor-15' is declared int32, but 'ArgMax-15' (ArgMax) writes int64" in finding.message


@pytest.mark.parametrize(
    ("declared", "found"), [([7], True), ([2, 1], True), ([2], False), (["n"], False), ([], False)]
)
def test_a_wrong_declared_shape(check: Check, declared: list[int | str], found: bool) -> None:
    """A name may be any size, and what has no dimension at all is how old exporters say that they know none."""
    model = model_of([node("Exp", ["x"], ["y"], "exp")], [value("x", [2])], [value("y", declared)])
    findings = check(model, "declared-types")
    assert brief(findings) == [("warning", "wrong-declared-shape", "exp")] * found
    if findings:
        assert findings[0].message.endswith(" but 'exp' (Exp) writes [2].")


def test_a_graph_without_outputs(check: Check) -> None:
    model = model_of([node("Exp", ["x"], ["y"], "exp")], [value("x", [2])], [])
    assert brief(check(model, "dead-ends")) == [("error", "no-output", None)]


@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32"])
def test_low_precision_where_nothing_computes_in_floats(check: Check, precision: str) -> None:
    """Such a model matches in FP16, and that says nothing."""
    integers = model_of(
        [node("Add", ["x", "two"], ["y"], "add")],
        [value("x", [4], TensorProto.INT64)],
        [value("y", [4], TensorProto.INT64)],
        [weight("two", np.int64(2))],
    )
    expected = [] if precision == "fp32" else [("warning", "nothing-in-low-precision", None)]
    assert brief(check(integers, "no-floats", precision)) == expected
    assert check(identity_add_identity(), "no-floats", precision) == []
    assert check(with_if(), "no-floats", precision) == []


def test_a_wrong_declared_intermediate_type(check: Check) -> None:
    model = mnist()
    model.graph.value_info.append(value("tensor-14", None, TensorProto.FLOAT16))
    assert brief(check(model, "declared-types")) == [("error", "wrong-declared-type", "Softmax-14")]


def test_float64_weights_on_float32_data(check: Check) -> None:
    """Seed 001-003 T12."""
    [finding] = check(conv_with_double_weights())
    assert brief([finding]) == [("error", "mixed-types", "conv")]
    assert "'x' is float32, 'W' is float64" in finding.message


def test_a_gemm_that_does_not_fit(check: Check) -> None:
    """Seed 001-003 T13: the Gemm is wrong; onnxruntime blames the Add after it."""
    [finding] = check(gemm_that_does_not_fit())
    assert brief([finding]) == [("error", "dimension-mismatch", "node_1")]
    assert "'x', 64 columns, by 'A', 32 rows (transB=1)" in finding.message
    assert check(gemm_that_does_not_fit(trans_b=0)) == []


@pytest.mark.parametrize(
    ("left", "right", "fits"),
    [
        ([2, 3], [3, 4], True),
        ([2, 3], [4, 3], False),
        ([5, 2, 3], [3], True),
        ([3], [2, 4], False),
        (["N", 3], [3, "M"], True),
    ],
)
def test_matmul_operands(check: Check, left: list[int], right: list[int], fits: bool) -> None:
    model = model_of(
        [node("MatMul", ["a", "b"], ["y"], "product")],
        [value("a", left), value("b", right)],
        [value("y", None)],
    )
    wanted = [] if fits else [("error", "dimension-mismatch", "product")]
    assert brief(check(model, "dimensions")) == wanted


def test_other_shapes_that_do_not_fit(check: Check) -> None:
    model = model_of(
        [node("Add", ["a", "b"], ["c"], "sum"), node("Relu", ["c"], ["y"], "after")],
        [value("a", [2, 3]), value("b", [2, 4])],
        [value("y", None)],
    )
    assert brief(check(model, "dimensions")) == [("warning", "dimension-mismatch", "sum")]


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        ([1.0, 65504.0], None),
        ([1.0, -7e4], ("warning", "fp16-weight-overflow", "add")),
        ([1e-12], ("warning", "fp16-weight-vanishes", "add")),
        ([1e-5], ("info", "fp16-weight-subnormal", "add")),
        ([1e-12, 0.0], ("info", "fp16-weight-subnormal", "add")),
        ([1e-5, 1.0], ("info", "fp16-weight-subnormal", "add")),
        ([-np.inf, 1.0], None),
        ([0.0, 0.0], None),
    ],
)
def test_weights_in_fp16(check: Check, values: list[float], finding: tuple[str, str, str] | None) -> None:
    array = np.array(values, np.float32)
    model = model_of(
        [node("Add", ["x", "w"], ["y"], "add")], [value("x", [2])], [value("y", [2])], [weight("w", array)]
    )
    assert brief(check(model, "half-weights", "fp16")) == ([finding] if finding else [])
    assert check(model, "half-weights", "fp32") == []


def test_weights_beyond_fp16_are_named_with_their_maximum(check: Check) -> None:
    made = helper.make_node("Constant", [], ["c"], "constant", value=weight("", np.float32([1e6])))
    model = model_of([made, node("Mul", ["x", "c"], ["y"], "mul")], [value("x", [1])], [value("y", [1])])
    [finding] = check(model, "half-weights", "fp16")
    assert finding.message == "Weight 'c' of 'mul' reaches 1e+06; FP16 ends at 65504."


@pytest.mark.parametrize(
    ("op", "rule"), [("Add", "fp16-mask-overflow"), ("Mul", "fp16-weight-overflow")], ids=["added", "times"]
)
def test_a_mask_before_a_softmax_may_be_infinite(check: Check, op: str, rule: str) -> None:
    """Unless it is multiplied: 0 times -Inf is NaN."""
    model = model_of(
        [
            node("Where", ["keep", "zero", "lowest"], ["mask"], "where"),
            node("Unsqueeze", ["mask", "axes"], ["masks"], "heads"),
            node(op, ["scores", "masks"], ["masked"], "masked"),
            node("Softmax", ["masked"], ["y"], "softmax"),
        ],
        [value("keep", [2, 4], TensorProto.BOOL), value("scores", [3, 2, 4])],
        [value("y", [3, 2, 4])],
        [
            weight("zero", np.float32(0)),
            weight("lowest", np.finfo(np.float32).min),
            weight("axes", np.array([0])),
        ],
    )
    [finding] = check(model, "half-weights", "fp16")
    assert (finding.id, finding.node) == (rule, "where")
    assert finding.severity == ("info" if op == "Add" else "warning")


def test_a_mask_that_is_an_output_overflows(check: Check) -> None:
    nodes = [
        node("Where", ["keep", "x", "lowest"], ["masked"], "where"),
        node("Softmax", ["masked"], ["y"], "softmax"),
    ]
    model = model_of(
        nodes,
        [value("keep", [4], TensorProto.BOOL), value("x", [4])],
        [value("y", [4]), value("masked", [4])],
        [weight("lowest", np.float32(-1e9))],
    )
    assert [f.id for f in check(model, "half-weights", "fp16")] == ["fp16-weight-overflow"]


@pytest.mark.parametrize("op", ["Gemm", "Add"])
def test_a_bias_may_vanish(check: Check, op: str) -> None:
    """A batch norm that was folded into a convolution leaves biases next to nothing; an epsilon is one number."""
    inputs = ["x", "w", "b"] if op == "Gemm" else ["x", "b"]
    weights = [
        weight("w", np.eye(2, dtype=np.float32)),
        weight("b", np.array([1e-9, 0, 2e-9], np.float32)[::2]),
    ]
    model = model_of([node(op, inputs, ["y"], "layer")], [value("x", [1, 2])], [value("y", [1, 2])], weights)
    [finding] = check(model, "half-weights", "fp16")
    assert (finding.id, finding.severity) == ("fp16-weight-subnormal", "info")
    assert finding.message.startswith("1 weight has values below 6.1e-05")


def test_equal_epsilons_are_told_once(check: Check) -> None:
    """Exporters write the epsilon of each norm as a constant of its own."""
    nodes = [node("Add", [f"x{i}", f"eps{i}"], [f"x{i + 1}"], f"add{i}") for i in range(3)]
    eps = [weight(f"eps{i}", np.float32(1e-12)) for i in range(3)]
    model = model_of(nodes, [value("x0", [2])], [value("x3", [2])], eps)
    [finding] = check(model, "half-weights", "fp16")
    assert (
        finding.message
        == "Weight 'eps0' of 'add0' (and 2 more like it) is at most 1e-12 and becomes 0 in FP16."
    )


def test_integers_beyond_int32(check: Check) -> None:
    model = model_of(
        [node("Add", ["x", "big"], ["y"], "add"), node("Slice", ["x", "zero", "end"], ["z"], "slice")],
        [value("x", [2], TensorProto.INT64)],
        [value("y", [2], TensorProto.INT64), value("z", None, TensorProto.INT64)],
        [weight("big", [2**40]), weight("zero", [0]), weight("end", [2**63 - 1])],
    )
    assert brief(check(model)) == [("info", "int64-out-of-int32", "add")]


def test_float64_tensors(check: Check) -> None:
    double = TensorProto.DOUBLE
    model = model_of(
        [node("Relu", ["x"], ["y"], "relu")], [value("x", [2], double)], [value("y", [2], double)]
    )
    assert brief(check(model)) == [("info", "float64", "x")]


def test_a_constant_output_says_little(check: Check) -> None:
    """Seed T4: the clamped Gemm is 3 everywhere."""
    [finding] = check(clamped_gemm(), reference=True)
    assert brief([finding]) == [("warning", "output-constant", "myMax_10")]
    assert "is 3 in all 4096 values" in finding.message


@pytest.mark.parametrize(
    ("op", "finding"),
    [("Identity", None), ("Sqrt", "reference-nonfinite"), ("Relu", "output-saturated")],
)
def test_outputs_of_the_reference(check: Check, op: str, finding: str | None) -> None:
    model = model_of(
        [node("Sub", ["x", "shift"], ["low"], "sub"), node(op, ["low"], ["y"], "last")],
        [value("x", [1000])],
        [value("y", [1000])],
        [weight("shift", np.float32(0.95))],
    )
    found = [one for one in check(model, "silent-outputs", reference=True) if one.id == finding]
    assert brief(found) == ([("warning", finding, "last")] if finding else [])
    assert finding or check(model, "silent-outputs", reference=True) == []


@pytest.mark.parametrize(
    "name", ["magika_standard_v3_3.onnx", "silero_vad_16k_static.onnx", "polygraphy/residual_block.onnx"]
)
def test_real_models_have_no_errors(model_path: Callable[[str], Path], name: str) -> None:
    model = load_model(model_path(name))
    context = CheckContext(model_path(name), model, GraphIndex(model), "fp16")
    assert [f for one in CHECKS for f in one.run(context) if f.severity == "error"] == []
