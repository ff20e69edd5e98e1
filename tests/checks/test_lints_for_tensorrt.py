"""What onnxruntime runs and TensorRT may refuse: each check with a model that triggers it, and a near miss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from seed_models import model_of, node, value, weight

from trtdebug.checks import CHECKS
from trtdebug.core.case import BuildOptions, Case, Tolerance
from trtdebug.core.errors import UserError
from trtdebug.core.finding import Finding
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.plugins.types import CheckContext


def found(
    model: onnx.ModelProto, only: str, precision: str = "fp32", options: BuildOptions | None = None
) -> list[Finding]:
    case, plugins = None, ()
    if options is not None:
        case = Case("m", "", 0, options, Tolerance(), "onnxruntime", "tensorrt", (), "")
        plugins = options.plugins
    context = CheckContext(Path("m.onnx"), model, GraphIndex(model), precision, case=case, plugins=plugins)
    [check] = [c for c in CHECKS if c.name == only]
    findings = list(check.run(context))
    assert all(f.mitigation for f in findings)
    return findings


def ids(findings: list[Finding]) -> list[tuple[str, str | None]]:
    return [(f.id, f.node) for f in findings]


# shapes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "expected"), [(None, [("missing-shape", "x")]), (["N", None], [])])
def test_an_input_without_a_shape(shape, expected):
    model = model_of([node("Relu", ["x"], ["y"], "relu")], [value("x", shape)], [value("y", shape)])
    assert ids(found(model, "unknown-shapes")) == expected


@pytest.mark.parametrize(("op", "expected"), [("NonZero", [("data-dependent-shape", "find")]), ("Shape", [])])
def test_a_size_that_depends_on_data(op, expected):
    model = model_of(
        [node(op, ["x"], ["y"], "find")], [value("x", [4])], [value("y", None, TensorProto.INT64)]
    )
    assert ids(found(model, "data-dependent")) == expected


def test_a_size_that_depends_on_data_in_a_branch_is_told_of_the_node_that_holds_it():
    branch = helper.make_graph(
        [node("NonZero", ["x"], ["t"], "inner")], "then", [], [value("t", None, TensorProto.INT64)]
    )
    model = model_of(
        [node("If", ["c"], ["y"], "choose", then_branch=branch, else_branch=branch)],
        [value("c", [], TensorProto.BOOL), value("x", [4])],
        [value("y", None, TensorProto.INT64)],
    )
    assert ids(found(model, "data-dependent")) == [("data-dependent-shape", "choose")]


# branches ------------------------------------------------------------------------------------------------


def if_of(then: tuple[int, list[int]], other: tuple[int, list[int]]) -> onnx.ModelProto:
    """An If whose branches give constants of these (element type, shape)."""

    def branch(name: str, kind: int, shape: list[int]) -> onnx.GraphProto:
        zeros = np.zeros(shape, helper.tensor_dtype_to_np_dtype(kind))
        made = helper.make_node("Constant", [], [name], f"make_{name}", value=weight("", zeros))
        return helper.make_graph([made], name, [], [value(name, shape, kind)])

    return model_of(
        [node("If", ["c"], ["y"], "choose", then_branch=branch("t", *then), else_branch=branch("e", *other))],
        [value("c", [], TensorProto.BOOL)],
        [value("y", None, then[0])],
    )


@pytest.mark.parametrize(
    ("then", "other", "severity"),
    [
        ((TensorProto.FLOAT, [2]), (TensorProto.FLOAT, [3]), None),
        ((TensorProto.FLOAT, [2]), (TensorProto.INT64, [2]), "error"),
        ((TensorProto.FLOAT, [2]), (TensorProto.FLOAT, [2, 1]), "warning"),
    ],
)
def test_branches_of_different_type(then, other, severity):
    findings = found(if_of(then, other), "branches")
    assert [(f.severity, f.id, f.node) for f in findings] == (
        [(severity, "if-branch-types", "choose")] if severity else []
    )


# operators -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [(BuildOptions(), [("custom-operator", "own")]), (BuildOptions(plugins=("own.so",)), [])],
)
def test_a_custom_operator_wants_a_plugin_library(options, expected):
    own = helper.make_node("Own", ["x"], ["y"], "own", domain="com.example")
    model = model_of([own], [value("x", [2])], [value("y", [2])])
    assert ids(found(model, "operators", options=options)) == expected


# quantisation --------------------------------------------------------------------------------------------


def quantised(
    *,
    zero: int = 0,
    kind: type[np.generic] = np.int8,
    weight_pair: bool = True,
    weight_axis: int = 0,
    data_scales: int = 1,
    weight_scales: int = 4,
    partner: str = "DequantizeLinear",
) -> onnx.ModelProto:
    """Conv of a quantised input [1, 4, 8, 8] by a quantised weight [4, 4, 3, 3]."""
    scale = np.full(data_scales, 0.1, np.float32) if data_scales > 1 else np.float32(0.1)
    points = np.full(data_scales, zero, kind) if data_scales > 1 else np.array(zero, kind)
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"], "q"),
        node(partner, ["xq", "s", "z"] if partner == "DequantizeLinear" else ["xq"], ["xd"], "dq"),
    ]
    if partner == "Cast":
        nodes[-1] = node("Cast", ["xq"], ["xd"], "dq", to=TensorProto.FLOAT)
    if weight_pair:
        nodes.append(node("DequantizeLinear", ["wq", "ws", "wz"], ["w"], "wdq", axis=weight_axis))
    nodes.append(node("Conv", ["xd", "w"], ["y"], "conv", pads=[1, 1, 1, 1]))
    weights = [
        weight("s", scale),
        weight("z", points),
        weight("ws", np.full(weight_scales, 0.1, np.float32)),
        weight("wz", np.zeros(weight_scales, np.int8)),
        weight("wq", np.ones((4, 4, 3, 3), np.int8))
        if weight_pair
        else weight("w", np.ones((4, 4, 3, 3), np.float32)),
    ]
    return model_of(nodes, [value("x", [1, 4, 8, 8])], [value("y", [1, 4, 8, 8])], weights)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"kind": np.uint8}, [("quantise-unsigned", "q")]),
        ({"zero": 3}, [("quantise-zero-point", "q"), ("quantise-zero-point", "dq")]),
        ({"kind": np.uint8, "zero": 128}, [("quantise-zero-point", "q"), ("quantise-zero-point", "dq")]),
        ({"weight_pair": False}, [("quantise-one-side", "conv")]),
        ({"weight_axis": 1}, [("quantise-axis", "wdq")]),
        ({"weight_axis": -4}, []),
        ({"data_scales": 4}, [("quantise-axis", "dq")]),
        ({"partner": "Cast"}, [("quantise-alone", "q"), ("quantise-one-side", "conv")]),
    ],
)
def test_quantised_convolution(changes, expected):
    assert ids(found(quantised(**changes), "quantisation")) == expected


@pytest.mark.parametrize("op", ["MatMul", "Gemm"])
@pytest.mark.parametrize("axis", [0, 1, -2, -1])
def test_a_constant_first_operand_is_a_weight_whose_channels_are_its_rows(op, axis):
    nodes = [
        node("DequantizeLinear", ["wq", "ws"], ["w"], "wdq", axis=axis),
        node("QuantizeLinear", ["x", "s", "z"], ["xq"], "q"),
        node("DequantizeLinear", ["xq", "s", "z"], ["xd"], "dq"),
        node(op, ["w", "xd"], ["y"], "product"),
    ]
    weights = [
        *(weight("wq", np.ones((4, 4), np.int8)), weight("ws", np.full(4, 0.1, np.float32))),
        *(weight("s", np.float32(0.1)), weight("z", np.int8(0))),
    ]
    findings = found(model_of(nodes, [value("x", [4, 8])], [value("y", [4, 8])], weights), "quantisation")
    said = [(f.id, f.message) for f in findings]
    told = f"'wdq' scales the weight of 'product' ({op}) along axis {axis}; its output channels lie along axis 0."
    assert said == ([("quantise-axis", told)] if op == "MatMul" and axis in (1, -1) else [])


@pytest.mark.parametrize(
    ("inputs", "attributes", "expected"),
    [
        (["x", "s"], {}, [("quantise-unsigned", "q")]),  # ONNX's default
        (["x", "s", ""], {}, [("quantise-unsigned", "q")]),
        (["x", "s"], {"output_dtype": TensorProto.INT8}, []),
        (["x", "s"], {"output_dtype": TensorProto.UINT8}, [("quantise-unsigned", "q")]),
        (["x", "s", "z"], {}, []),
        (["x", "s", "given"], {}, []),  # not known
    ],
)
def test_the_type_that_is_quantised_to(inputs, attributes, expected):
    model = model_of(
        [
            node("QuantizeLinear", inputs, ["q8"], "q", **attributes),
            node("DequantizeLinear", ["q8", "s"], ["y"], "dq"),
        ],
        [value("x", [4]), value("given", [], TensorProto.UINT8)],
        [value("y", [4])],
        [weight("s", np.float32(0.1)), weight("z", np.int8(0))],
    )
    assert ids(found(model, "quantisation")) == expected


def test_operators_that_compute_with_integers():
    """As onnxruntime's quantize_dynamic writes them; TensorRT's parser has none of them."""
    model = model_of(
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], "quantise"),
            node("MatMulInteger", ["q", "w", "z"], ["a"], "first"),
            node("MatMulInteger", ["q", "w", "z"], ["b"], "second"),
            node("Add", ["a", "b"], ["y"], "add"),
        ],
        [value("x", [4, 8])],
        [value("y", [4, 8], TensorProto.INT32)],
        [weight("w", np.ones((8, 8), np.uint8))],
    )
    findings = found(model, "quantisation")
    assert ids(findings) == [("quantise-operator", "quantise"), ("quantise-operator", "first")]
    assert findings[1].message.startswith("'first' is a MatMulInteger, as are 1 more: ")


def weight_only(kind: int, scale: np.ndarray, **attributes: int) -> onnx.ModelProto:
    """A MatMul of a float input by a weight [128, 8] that is stored in this type."""
    nodes = [
        node("DequantizeLinear", ["wq", "s"], ["w"], "dq", **attributes),
        node("Transpose", ["w"], ["wt"], "t", perm=[0, 1]),
        node("MatMul", ["x", "wt"], ["y"], "matmul"),
    ]
    stored = helper.make_tensor("wq", kind, [128, 8], np.ones(128 * 8, np.int8))
    return model_of(nodes, [value("x", [4, 128])], [value("y", [4, 8])], [weight("s", scale), stored])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (TensorProto.INT4, []),  # TensorRT takes INT4 for weights alone
        (TensorProto.FLOAT4E2M1, []),
        (TensorProto.INT8, [("quantise-one-side", "matmul")]),
        (TensorProto.FLOAT8E4M3FN, [("quantise-one-side", "matmul")]),
    ],
)
def test_a_weight_alone_is_quantised(kind, expected):
    assert ids(found(weight_only(kind, np.float32(0.1)), "quantisation")) == expected


def test_scales_of_blocks_lie_along_the_axis_that_is_summed_over():
    scales = np.full((2, 8), 0.1, np.float32)
    model = weight_only(TensorProto.INT4, scales, axis=0, block_size=64)
    model.graph.node[2].input[1] = "w"
    assert ids(found(model, "quantisation")) == []


def test_scales_of_blocks_that_are_quantised_themselves():
    """As NVFP4 has them, of weights and, by an operator of TensorRT's own, of activations."""
    model = model_of(
        [
            node("DequantizeLinear", ["ws8", "s"], ["ws"], "weight_scales"),
            node("DequantizeLinear", ["wq", "ws"], ["w"], "dequantise_weight", axis=0, block_size=16),
            node("TRT_FP4DynamicQuantize", ["x", "s"], ["xq", "xs8"], "quantise", domain="trt"),
            node("DequantizeLinear", ["xs8", "s"], ["xs"], "scales"),
            node("DequantizeLinear", ["xq", "xs"], ["xd"], "dequantise", axis=1, block_size=16),
            node("MatMul", ["xd", "w"], ["y"], "matmul"),
        ],
        [value("x", [4, 32])],
        [value("y", [4, 8])],
        [
            weight("s", np.float32(0.1)),
            helper.make_tensor("wq", TensorProto.FLOAT4E2M1, [32, 8], np.ones(32 * 8)),
            helper.make_tensor("ws8", TensorProto.FLOAT8E4M3FN, [2, 8], np.ones(16)),
        ],
    )
    assert ids(found(model, "quantisation")) == []


def test_integers_that_no_quantise_node_made():
    model = model_of(
        [node("DequantizeLinear", ["x", "s"], ["y"], "dq")],
        [value("x", [4], TensorProto.INT8)],
        [value("y", [4])],
        [weight("s", np.float32(0.1))],
    )
    assert ids(found(model, "quantisation")) == [("quantise-alone", "dq")]


@pytest.mark.parametrize(("scale", "expected"), [(0.1, []), (0.0, [("quantise-scale", "q")])])
def test_scales_have_to_be_positive(scale, expected):
    model = model_of(
        [
            node("QuantizeLinear", ["x", "s", "z"], ["q8"], "q"),
            node("DequantizeLinear", ["q8", "one", "z"], ["y"], "dq"),
        ],
        [value("x", [4])],
        [value("y", [4])],
        [weight("s", np.float32(scale)), weight("one", np.float32(1)), weight("z", np.int8(0))],
    )
    assert ids(found(model, "quantisation")) == expected


def test_scales_that_are_computed():
    model = model_of(
        [
            node("ReduceMax", ["x"], ["s"], "largest", keepdims=0),
            node("QuantizeLinear", ["x", "s", "z"], ["q8"], "q"),
            node("DequantizeLinear", ["q8", "s", "z"], ["y"], "dq"),
        ],
        [value("x", [4])],
        [value("y", [4])],
        [weight("z", np.int8(0))],
    )
    assert ids(found(model, "quantisation")) == [("quantise-scale", "q"), ("quantise-scale", "dq")]


@pytest.mark.parametrize(
    ("precision", "options", "build", "expected"),
    [
        ("int8", None, "plain", 1),
        ("fp16", None, "plain", 0),
        ("int8", None, "quantised", 0),
        ("int8", BuildOptions("int8"), "plain", 1),
        ("int8", BuildOptions("int8", calibration_cache="scales.cache"), "plain", 0),
    ],
)
def test_int8_without_scales(precision, options, build, expected):
    plain = model_of([node("Relu", ["x"], ["y"], "relu")], [value("x", [2])], [value("y", [2])])
    model = plain if build == "plain" else quantised()
    findings = found(model, "calibration", precision, options)
    assert [f.id for f in findings] == ["int8-without-scales"] * expected


def test_scales_in_functions_and_in_branches():
    pair = [
        node("Constant", [], ["s"], value_float=0.1),
        node("QuantizeLinear", ["x", "s"], ["q"]),
        node("DequantizeLinear", ["q", "s"], ["d"]),
    ]
    ends = [value("x", [2]), value("c", [], TensorProto.BOOL)], [value("y", [2])]
    branch = helper.make_graph(pair, "branch", [], [value("d", [2])])
    held = model_of([node("If", ["c"], ["y"], "if", then_branch=branch, else_branch=branch)], *ends)
    called = model_of([node("Fake", ["x"], ["y"], "call", domain="my")], *ends)
    opsets = [helper.make_opsetid("", 17)]
    called.functions.append(helper.make_function("my", "Fake", ["x"], ["d"], pair, opsets))
    assert found(held, "calibration", "int8") == found(called, "calibration", "int8") == []


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [(quantised(), []), (quantised(zero=3), ["quantise-zero-point"] * 2), (b"an engine", [])],
)
def test_quantisation_is_looked_for_in_what_the_candidate_builds(candidate, expected, tmp_path: Path):
    """A float model as reference, another file for the candidate."""
    plain = model_of([node("Relu", ["x"], ["y"], "relu")], [value("x", [2])], [value("y", [2])])
    path = tmp_path / "candidate"
    path.write_bytes(candidate if isinstance(candidate, bytes) else candidate.SerializeToString())
    case = Case("m", "", 0, BuildOptions("int8"), Tolerance(), "onnxruntime", "tensorrt", (), "")
    case = replace(case, candidate_model=str(path))
    context = CheckContext(Path("m.onnx"), plain, GraphIndex(plain), "int8", case=case)
    checks = [c for c in CHECKS if c.name in ("quantisation", "calibration")]
    assert [f.id for c in checks for f in c.run(context)] == expected


# files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [True, False])
def test_external_data_that_is_missing(tmp_path: Path, there: bool):
    """The model cannot be read without, so this is no finding but the one line that the command ends with."""
    model = model_of(
        [node("Add", ["x", "w"], ["y"], "add")],
        [value("x", [4096])],
        [value("y", [4096])],
        [weight("w", np.ones(4096, np.float32))],
    )
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.weights", size_threshold=0)
    if there:
        assert load_model(tmp_path / "m.onnx").graph.node[0].name == "add"
        return
    (tmp_path / "m.weights").unlink()
    with pytest.raises(UserError, match=r"m\.weights"):
        load_model(tmp_path / "m.onnx")


def quantised_conv(between: list[onnx.NodeProto], reads: str) -> onnx.ModelProto:
    """A Conv with a quantised weight and a quantised input; `between`: nodes from "d" to what the Conv `reads`."""
    return model_of(
        [
            node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantise"),
            node("DequantizeLinear", ["q", "s", "z"], ["d"], "dequantise"),
            node("DequantizeLinear", ["w8", "s", "z"], ["w"], "weight"),
            *between,
            node("Conv", [reads, "w"], ["y"], "conv"),
        ],
        [value("x", [1, 3, 4, 4])],
        [value("y", None)],
        [
            weight("s", np.float32(0.5)),
            weight("z", np.int8(0)),
            weight("w8", np.ones((4, 3, 1, 1), np.int8)),
        ],
    )


@pytest.mark.parametrize(
    ("op", "expected"), [("Transpose", []), ("Identity", []), ("Sigmoid", [("quantise-one-side", "conv")])]
)
def test_what_only_moves_a_quantised_tensor_leaves_it_quantised(op, expected):
    assert ids(found(quantised_conv([], "d"), "quantisation")) == []
    assert ids(found(quantised_conv([node(op, ["d"], ["m"], "between")], "m"), "quantisation")) == expected


def test_a_node_that_lacks_inputs_is_no_matter_of_quantisation():
    model = model_of(
        [node("QuantizeLinear", ["x"], ["q"], "q"), node("Conv", ["x"], ["y"], "c")],
        [value("x", [1, 3, 4, 4])],
        [value("y", None)],
    )
    assert found(model, "quantisation") == []


def casting_if(out: str, *dtypes: int) -> onnx.NodeProto:
    """An If called "same", whose branches give x in these types."""
    branches = [
        helper.make_graph([node("Cast", ["x"], [f"{out}_t"], to=d)], "b", [], [value(f"{out}_t", [2], d)])
        for d in dtypes
    ]
    return node("If", ["c"], [out], "same", then_branch=branches[0], else_branch=branches[1])


def test_branches_of_nodes_that_share_a_name_are_not_mixed_up():
    inputs = [value("x", [2]), value("c", [], TensorProto.BOOL)]
    outputs = [value("u", [2]), value("v", [2], TensorProto.INT64)]
    same = casting_if("u", TensorProto.FLOAT, TensorProto.FLOAT)
    other = casting_if("v", TensorProto.INT64, TensorProto.FLOAT)
    assert ids(found(model_of([same, other], inputs, outputs), "branches")) == [("if-branch-types", "same_1")]
    whole = model_of([same, casting_if("v", TensorProto.INT64, TensorProto.INT64)], inputs, outputs)
    assert found(whole, "dimensions") == []
