"""The model as TensorRT gets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from shape_cases import SHAPE_CASES, quantised

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.graph_input import onnx_source, prepare
from trtdebug.backends.tensorrt.plan import plan_build
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ForcePrecision, PinPrecision
from trtdebug.graph.load import save_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["h"], "mul"),
        helper.make_node("Shape", ["h"], ["s"], "shape"),
        helper.make_node("Relu", ["h"], ["y"], "relu"),
    ]
    value = helper.make_tensor_value_info
    weights = [numpy_helper.from_array(np.ones(3, np.float32), "w")]
    outputs = [value("y", 1, [2, 3]), value("s", 7, [2])]
    graph = helper.make_graph(nodes, "g", [value("x", 1, [2, 3])], outputs, weights)
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def prepared(model: Path, version: str, *interventions, outputs=None, precision="fp16"):
    options = BuildOptions(precision=precision)
    request = BuildRequest(model, options, model.parent, interventions, outputs)
    return prepare(plan_build(request, version))


def test_force_asks_every_float_node_but_the_pinned(model: Path) -> None:
    assert prepared(model, "8.6.0", ForcePrecision("fp16"), PinPrecision(("mul",))).asked == {
        "mul": "fp32",
        "relu": "fp16",
    }
    assert prepared(model, "8.6.0", PinPrecision(("mul",))).asked == {"mul": "fp32"}
    assert prepared(model, "8.6.0").asked == {}


def test_version_11_gets_the_precision_and_the_marks_in_the_graph(model: Path) -> None:
    found = prepared(model, "11.4.0", PinPrecision(("relu",)), outputs=("y", "h"))
    assert found.asked == {"mul": "fp16", "relu": "fp32"}
    assert found.marked == ("h",)
    onnx.checker.check_model(found.proto, full_check=True)
    assert [o.name for o in found.proto.graph.output] == ["y", "s", "h"]
    assert found.types["h"].dtype == "float32"
    mul = next(n for n in found.proto.graph.node if n.name == "mul")
    assert mul.output[0] == "h__fp16"
    assert "Cast" not in {n.op_type for n in prepared(model, "11.4.0", precision="fp32").proto.graph.node}


def test_unknown_names_are_refused_by_name(model: Path) -> None:
    with pytest.raises(BuildFailure, match=r"'nope', which is no node of m.onnx"):
        prepared(model, "8.6.0", PinPrecision(("nope",)))
    with pytest.raises(BuildFailure, match=r"'nope' is no tensor of m.onnx"):
        prepared(model, "11.4.0", outputs=("nope",))
    assert prepared(model, "8.6.0", outputs=("nope",)).marked == ()  # it may be a tensor of the network


def test_an_input_that_holds_a_shape_gets_its_length_before_it_is_parsed(tmp_path: Path) -> None:
    case = SHAPE_CASES["an input that holds a shape of open length"]()
    save_model(case.model, tmp_path / "reshape.onnx")
    values = {"target": Profile((2, -1), (2, -1), (4, -1))}
    for known, length in ((values, 2), ({}, 0)):
        request = BuildRequest(tmp_path / "reshape.onnx", BuildOptions(), tmp_path, values=known)
        proto = prepare(plan_build(request, "8.6.0")).proto
        assert proto.graph.input[1].type.tensor_type.shape.dim[0].dim_value == length


def test_a_quantised_model_is_seen_as_such(model: Path, tmp_path: Path) -> None:
    assert not prepared(model, "8.6.0").quantised
    save_model(quantised(np.ones((8, 8, 3, 3), np.float32), np.ones(8, np.float32)), tmp_path / "q.onnx")
    assert prepared(tmp_path / "q.onnx", "8.6.0", precision="int8").quantised


def test_the_parser_gets_the_named_model(model: Path) -> None:
    source = onnx_source(prepared(model, "8.6.0").proto, model.parent)
    assert isinstance(source, bytes)
    assert [n.name for n in onnx.load_from_string(source).graph.node] == ["mul", "shape", "relu"]


def test_version_11_tells_what_stays_in_fp32_and_why(tmp_path: Path) -> None:
    """A node that ONNX has no such type for, and one of them in a body of a node that is low."""
    random = helper.make_node("RandomNormalLike", ["x"], ["noise"], "noise")
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Bernoulli", ["x"], ["coin"], "toss"),
            helper.make_node("Neg", ["coin"], ["t"], "neg"),
        ],
        "then",
        [],
        [value("t", 1, [2])],
    )
    other = helper.make_graph(
        [helper.make_node("Abs", ["x"], ["e"], "abs")], "else", [], [value("e", 1, [2])]
    )
    choice = helper.make_node("If", ["c"], ["y"], "choice", then_branch=body, else_branch=other)
    inputs = [value("x", 1, [2]), value("c", 9, [])]
    graph = helper.make_graph([random, choice], "g", inputs, [value("y", 1, [2]), value("noise", 1, [2])])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    found = prepared(path, "11.4.0", ForcePrecision("fp16"))
    generator = "another type draws other numbers, or an attribute says the type"
    assert found.unlowered == {
        "noise": generator,
        "choice": f"'toss' in its body stays in FP32: {generator}",
    }
    with pytest.raises(
        BuildFailure, match=r"'neg', which lies in a body of 'choice'. Pin 'choice'"
    ) as failure:
        prepared(path, "11.4.0", ForcePrecision("fp16"), PinPrecision(("neg",)))
    assert failure.value.node == "choice"
