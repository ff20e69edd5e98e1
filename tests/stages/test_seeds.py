"""The cases of the course material, as the product sees them. The number of each stands in the test's name.

A: documents 000 and 004; B: documents 001 to 003. Elsewhere: A T2 and T3 in tests/cli/test_bad_input.py; A T10 and
T12, B T8 in tests/graph; A T23 in tests/graph/test_shapes.py; B T30 in tests/cli/test_ext.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from cases import diagnose, finding, open_case
from command_line import trtdebug
from onnx import TensorProto
from seed_models import (
    clamped_gemm,
    conv_with_double_weights,
    gemm_that_does_not_fit,
    identity_add_identity,
    identity_identity,
    mnist,
    model_of,
    node,
    shape_arithmetic,
    unknown_operator,
    unsorted_with_dead_ends,
    value,
    weight,
)

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.emulator import EmulatorBackend
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.case import BuildOptions, Tolerance
from trtdebug.graph.folding import fold_constants
from trtdebug.graph.limits import onnxruntime_limits
from trtdebug.graph.load import save_model
from trtdebug.session.job import TensorRef
from trtdebug.stages.observing.table import layer_table

ELEMENTWISE = Tolerance(atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        (identity_add_identity(), ["tensor0:[4,3,64,64]"]),
        (identity_add_identity("Sub"), ["tensor0:[4,3,64,64]"]),
        (identity_identity(), ["tensor0:[4,3,64,64]"]),
        (mnist(), ["tensor-0:[4,1,28,28]"]),
        (shape_arithmetic(), ["tensor0:[2,3,4,5]"]),
        (clamped_gemm(), []),
    ],
    ids=["02", "04-02", "03-02", "05", "07", "09"],
)
def test_a_t1_the_course_models_agree(model: onnx.ModelProto, shapes: list[str], tmp_path: Path) -> None:
    ctx = open_case(model, tmp_path, candidate="emulator", input_shapes=shapes, tolerance=ELEMENTWISE)
    diagnosis = diagnose(ctx)
    assert (diagnosis.verdict, diagnosis.culprits) == ("matches", ())


def test_a_t4_a_constant_output_is_warned_of_though_it_matches(tmp_path: Path) -> None:
    ctx = open_case(clamped_gemm(), tmp_path, "fp16", candidate="emulator")
    diagnosis = diagnose(ctx)
    assert diagnosis.verdict == "matches"
    warning = finding(diagnosis, "output-constant")
    assert (warning.severity, warning.node) == ("warning", "myMax_10")
    layer_table(ctx)
    gemm = ctx.reference(["gemm"])["gemm"]
    assert 24 < gemm.min() < gemm.max() < 40  # sums of 64 values in [0, 1]: not constant at all


def test_a_t5_an_error_upstream_of_a_clamp(tmp_path: Path) -> None:
    """The outputs are identical; only the comparison layer by layer shows the Add."""
    ctx = open_case(clamped_gemm(0.5), tmp_path, against=clamped_gemm(5.0))
    table = layer_table(ctx)
    assert table.plain.status == "pass"
    assert [row.node for row in table.rows if row.propagated.status == "fail"] == [
        "myAdd_2",
        "myRelu_4",
        "myMul_6",
    ]
    assert finding(diagnose(ctx), "output-constant").node == "myMax_10"


def test_a_t7_a_wrong_output_type_is_named(tmp_path: Path) -> None:
    diagnosis = diagnose(open_case(mnist(argmax=TensorProto.INT32), tmp_path))
    assert diagnosis.verdict == "untestable"
    assert finding(diagnosis, "wrong-declared-type").node == "ArgMax-15"
    assert "'tensor-15' is declared int32, but 'ArgMax-15' (ArgMax) writes int64" in diagnosis.reason


def test_a_t9_add_against_sub(tmp_path: Path) -> None:
    ctx = open_case(identity_add_identity("Add"), tmp_path, against=identity_add_identity("Sub"))
    diagnosis = diagnose(ctx)
    assert diagnosis.verdict == "diverges"
    assert diagnosis.first_divergence is not None
    assert (diagnosis.first_divergence.tensor, diagnosis.first_divergence.node) == ("tensor2", "myAdd")
    assert diagnosis.first_divergence.max_abs == pytest.approx(2)
    assert [c.nodes for c in diagnosis.culprits] == [("myAdd",)]
    assert {r.tensor: r.propagated.status for r in layer_table(ctx).rows}["tensor1"] == "pass"


def test_a_t9_a_tensor_that_only_one_side_has(tmp_path: Path) -> None:
    ctx = open_case(identity_add_identity(), tmp_path, against=identity_identity())
    table = layer_table(ctx)
    assert {r.tensor: r.propagated.status for r in table.rows} == {"tensor1": "pass", "tensor3": "fail"}
    assert table.unmatched == ("tensor2",)
    diagnosis = diagnose(ctx)
    assert diagnosis.first_divergence is not None
    assert diagnosis.first_divergence.tensor == "tensor3"
    [culprit] = diagnosis.culprits
    assert (culprit.nodes, culprit.proven) == (("myAdd", "myIdentity1"), False), (
        "the node that the other lacks, too"
    )


def test_a_t11_unsorted_nodes_and_dead_ends(tmp_path: Path) -> None:
    """B T9, too."""
    diagnosis = diagnose(open_case(unsorted_with_dead_ends(), tmp_path))
    assert diagnosis.verdict == "untestable"
    assert finding(diagnosis, "unsorted-nodes").node == "myAdd4"
    assert finding(diagnosis, "output-without-producer").node == "tensor4"
    assert finding(diagnosis, "dead-input").node == "tensor3"
    mended = unsorted_with_dead_ends()
    del mended.graph.output[1]
    mended = fold_constants(mended).model
    (tmp_path / "mended").mkdir()
    assert len(mended.graph.node) == 2
    assert diagnose(open_case(mended, tmp_path / "mended", "fp16")).verdict == "matches"


@pytest.mark.parametrize(("nonzero", "verdict"), [(4, "matches"), (0, "untestable")])
def test_a_t13_an_output_whose_size_depends_on_the_data(nonzero: int, verdict: str, tmp_path: Path) -> None:
    """B T3, too. Where no element comes out there is nothing to compare, and that is no match."""
    model = model_of(
        [
            node("Identity", ["x"], ["a"], "first"),
            node("NonZero", ["a"], ["b"], "nonzero"),
            node("Identity", ["b"], ["y"], "last"),
        ],
        [value("x", ["B", 3, 4])],
        [value("y", None, TensorProto.INT64)],
    )
    x = np.zeros((1, 3, 4), np.float32)
    x.flat[:nonzero] = 1
    np.savez(tmp_path / "inputs.npz", x=x)
    ctx = open_case(model, tmp_path, "fp16", inputs=tmp_path / "inputs.npz", candidate="emulator")
    assert diagnose(ctx).verdict == verdict
    assert ctx.reference(["y"])["y"].shape == (3, nonzero)


def test_a_t14_an_operator_that_nobody_knows(tmp_path: Path) -> None:
    """B T4 and T6, too: no reference, and no crash."""
    diagnosis = diagnose(open_case(unknown_operator(), tmp_path))
    assert diagnosis.verdict == "untestable"
    assert finding(diagnosis, "unknown-operator").node == "unknown"
    assert "UnknownNode" in diagnosis.reason


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_t15_identity_is_exact_on_every_sample(precision: str, tmp_path: Path) -> None:
    model = model_of(
        [node("Identity", ["x"], ["y"], "id")], [value("x", [1, 1, 2, 2])], [value("y", [1, 1, 2, 2])]
    )
    samples = tmp_path / "samples"
    samples.mkdir()
    for number in range(4):
        np.savez(samples / f"{number}.npz", x=np.full((1, 1, 2, 2), number % 2, np.float32))
    tolerance = Tolerance(atol=0, rtol=0)
    ctx = open_case(model, tmp_path, precision, inputs=samples, tolerance=tolerance, candidate="emulator")  # type: ignore[arg-type]
    assert len(ctx.case.samples) == 4
    assert diagnose(ctx).verdict == "matches"


@pytest.mark.parametrize("backend", [OnnxruntimeBackend(), EmulatorBackend()], ids=lambda b: b.name)
def test_a_t20_a_second_run_leaves_the_first_result_alone(
    backend: OnnxruntimeBackend | EmulatorBackend, tmp_path: Path
) -> None:
    save_model(identity_add_identity(), tmp_path / "model.onnx")
    engine = backend.build(BuildRequest(tmp_path / "model.onnx", BuildOptions("fp16"), tmp_path))
    first = engine.run({"tensor0": np.zeros((1, 3, 64, 64), np.float32)})["tensor3"]
    engine.run({"tensor0": np.ones((1, 3, 64, 64), np.float32)})
    assert (first == 1).all()


def test_a_t21_an_extension_that_raises_is_named_and_the_run_goes_on(tmp_path: Path) -> None:
    info = tmp_path / "trtdebug_bad-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-bad\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trtdebug]\nbad = trtdebug_bad\n")
    (tmp_path / "trtdebug_bad.py").write_text("raise RuntimeError('no such luck')\n")
    save_model(identity_add_identity(), tmp_path / "model.onnx")
    done = trtdebug("run", "model.onnx", "--fp16", "--json", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "matches"
    [failed] = [f for f in report["findings"] if f["id"] == "extension-failed"]
    assert "trtdebug-bad 1.0" in failed["message"]
    assert "no such luck" in failed["message"]


def test_a_t22_an_ir_that_onnxruntime_does_not_take_yet(tmp_path: Path) -> None:
    """B T14, too."""
    limits = onnxruntime_limits()
    assert limits is not None
    model = identity_add_identity()
    model.ir_version = limits.ir + 1
    diagnosis = diagnose(open_case(model, tmp_path))
    assert diagnosis.verdict == "untestable"
    assert (
        f"IR version {limits.ir + 1}; onnxruntime {limits.version} takes at most {limits.ir}"
        in diagnosis.reason
    )
    assert "or install a newer onnxruntime" in diagnosis.reason
    assert "ONNXRuntimeError" not in diagnosis.reason
    assert diagnosis.reason.count("takes at most") == 1


def test_b_t1_names_with_colons_and_an_integer_output(tmp_path: Path) -> None:
    shapes = ["x:0:[4,1,28,28]"]
    ctx = open_case(mnist(colon_names=True), tmp_path, "fp16", input_shapes=shapes, candidate="emulator")
    assert diagnose(ctx).verdict == "matches"
    assert len(layer_table(ctx).rows) == 15


def test_b_t2_fp16_keeps_its_own_tolerance_but_not_that_of_fp32(tmp_path: Path) -> None:
    for name, tolerance, failing in (("own", Tolerance(), 0), ("fp32", Tolerance(atol=1e-6, rtol=0), 13)):
        (tmp_path / name).mkdir()
        ctx = open_case(mnist(), tmp_path / name, "fp16", tolerance=tolerance, candidate="emulator")
        table = layer_table(ctx)
        wrong = [r.tensor for r in table.rows if r.propagated.status == "fail"]
        assert "tensor-15" not in wrong  # the class is the same
        assert (len(wrong) >= failing) if failing else (wrong == [])


def test_b_t7_asinh(tmp_path: Path) -> None:
    model = model_of([node("Asinh", ["x"], ["y"], "asinh")], [value("x", [5])], [value("y", [5])])
    np.savez(tmp_path / "i.npz", x=np.float32([-100, -1, 0, 1, 100]))
    ctx = open_case(model, tmp_path, "fp16", inputs=tmp_path / "i.npz", candidate="emulator")
    assert diagnose(ctx).verdict == "matches"
    assert ctx.reference(["y"])["y"][[0, 4]] == pytest.approx([-5.29834, 5.29834], abs=1e-5)


def test_b_t10_shape_arithmetic_is_no_matter_of_precision(tmp_path: Path) -> None:
    ctx = open_case(
        shape_arithmetic(), tmp_path, "fp16", input_shapes=["tensor0:[2,3,4,5]"], candidate="emulator"
    )
    assert diagnose(ctx).verdict == "matches"
    assert not {"myReduceProd0", "myReduceProd1", "myGather0", "myGather1", "myConcat"} & set(ctx.items)
    values = ctx.reference(["tensor3", "tensor8"])
    assert {n: v.shape for n, v in values.items()} == {"tensor3": (120,), "tensor8": (2, 3, 20)}


def test_b_t11_an_equivalent_rewrite(tmp_path: Path) -> None:
    """Min and Max against one Clip; the input 0.01 keeps clear of the clamp."""
    model = clamped_gemm()
    rewritten = onnx.ModelProto()
    rewritten.CopyFrom(model)
    del rewritten.graph.node[-2:]
    rewritten.graph.node.append(node("Clip", ["mul", "low", "high"], ["myMax_10"], "myClip"))
    rewritten.graph.initializer.extend([weight("low", np.float32(-3)), weight("high", np.float32(3))])
    np.savez(tmp_path / "i.npz", tensor0=np.full((64, 64), 0.01, np.float32))
    ctx = open_case(model, tmp_path, against=rewritten, inputs=tmp_path / "i.npz")
    assert diagnose(ctx).verdict == "matches"
    assert ctx.reference(["myMax_10"])["myMax_10"] == pytest.approx(1.14)
    assert layer_table(ctx).unmatched == ("min",)


def test_b_t12_float64_weights_leave_no_reference(tmp_path: Path) -> None:
    diagnosis = diagnose(open_case(conv_with_double_weights(), tmp_path))
    assert diagnosis.verdict == "untestable"
    assert finding(diagnosis, "mixed-types").node == "conv"
    assert "'W' is float64" in diagnosis.reason


def test_b_t13_the_gemm_is_blamed_and_not_the_add(tmp_path: Path) -> None:
    diagnosis = diagnose(open_case(gemm_that_does_not_fit(), tmp_path))
    assert diagnosis.verdict == "untestable"
    assert finding(diagnosis, "dimension-mismatch").node == "node_1"
    assert "node_1" in diagnosis.reason
    (tmp_path / "right").mkdir()
    assert (
        diagnose(open_case(gemm_that_does_not_fit(trans_b=0), tmp_path / "right", "fp16")).verdict
        == "matches"
    )


def layer_norm() -> onnx.ModelProto:
    """LayerNorm over the last axis of [1, 4, 8], decomposed."""
    return model_of(
        [
            node("ReduceMean", ["x"], ["mean"], "mean", axes=[-1]),
            node("Sub", ["x", "mean"], ["sub"], "sub"),
            node("Pow", ["sub", "two"], ["pow"], "pow"),
            node("ReduceMean", ["pow"], ["var"], "var", axes=[-1]),
            node("Add", ["var", "eps"], ["addeps"], "addeps"),
            node("Sqrt", ["addeps"], ["sqrt"], "sqrt"),
            node("Div", ["sub", "sqrt"], ["y"], "div"),
        ],
        [value("x", [1, 4, 8])],
        [value("y", [1, 4, 8])],
        [weight("two", np.float32(2)), weight("eps", np.float32(1e-5))],
    )


@pytest.mark.parametrize("size", [1, 1000])
def test_b_t18_a_layer_norm_that_overflows(size: int, tmp_path: Path) -> None:
    """The outputs stay finite: x / Inf is 0. The cause is where the square is."""
    from trtdebug.debugger import Debugger

    np.savez(tmp_path / "i.npz", x=np.random.default_rng(1).normal(0, size, (1, 4, 8)).astype(np.float32))
    ctx = open_case(layer_norm(), tmp_path, "fp16", inputs=tmp_path / "i.npz", candidate="emulator")
    diagnosis = Debugger(ctx, until="fix").run()
    if size == 1:
        assert diagnosis.verdict == "matches"
        return
    assert diagnosis.verdict == "diverges"
    assert diagnosis.signature is not None
    assert diagnosis.signature.kind == "mismatch"  # nothing is Inf or NaN at the outputs
    assert diagnosis.first_divergence is not None
    assert (diagnosis.first_divergence.tensor, diagnosis.first_divergence.node) == ("pow", "pow")
    assert {"pow", "var", "addeps"} <= {n for c in diagnosis.culprits for n in c.nodes}
    fix = diagnosis.fixes[-1]
    assert fix.verified
    assert fix.max_rel_after is not None
    assert fix.max_rel_after < 2e-3
    assert fix.of_limit is not None
    assert 0 < fix.of_limit < 1


def test_b_t20_integers_beside_floats(tmp_path: Path) -> None:
    """Two inputs and two outputs; the index is generated where the model can use it."""
    model = model_of(
        [node("Gather", ["table", "index"], ["row"], "gather"), node("Identity", ["index"], ["same"], "id")],
        [value("table", [5, 3]), value("index", [4], TensorProto.INT32)],
        [value("row", [4, 3]), value("same", [4], TensorProto.INT32)],
    )
    ctx = open_case(model, tmp_path, "fp16", candidate="emulator", seed=3)
    assert diagnose(ctx).verdict == "matches"
    index = ctx.session.tensors.get("s0", TensorRef("index"))
    assert index.dtype == np.int32
    assert 0 <= index.min() <= index.max() < 5


def test_b_t21_a_profile_without_shapes_is_run_at_what_it_is_tuned_for(tmp_path: Path) -> None:
    ctx = open_case(
        shape_arithmetic(),
        tmp_path,
        min_shapes=["tensor0:1x3x1x5"],
        opt_shapes=["tensor0:2x3x4x5"],
        max_shapes=["tensor0:4x3x16x5"],
    )
    assert ctx.session.tensors.get("s0", TensorRef("tensor0")).shape == (2, 3, 4, 5)
