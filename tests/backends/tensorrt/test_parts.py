"""The smaller parts: marks, parser errors, types of feeds, blame, probe, log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.backends.tensorrt.build import blamed_node
from trtdebug.backends.tensorrt.graph_input import onnx_source, prepare
from trtdebug.backends.tensorrt.layers import LayerFacts, TensorFacts
from trtdebug.backends.tensorrt.logger import LogSink
from trtdebug.backends.tensorrt.network import Complaint, parse_failure
from trtdebug.backends.tensorrt.outputs import marks_note, plan_marks
from trtdebug.backends.tensorrt.plan import plan_build
from trtdebug.backends.tensorrt.probe import parse_answer
from trtdebug.backends.tensorrt.run import fitted, restored
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ForcePrecision, PinPrecision


def test_marks_that_cannot_be_are_skipped_with_the_reason() -> None:
    layers = [
        LayerFacts(0, "ACTIVATION", "a", outputs=(TensorFacts("ta", "FLOAT"),)),
        LayerFacts(1, "SHAPE", "s", outputs=(TensorFacts("ts", "INT32"),)),
        LayerFacts(2, "ELEMENTWISE", "in", outputs=(TensorFacts("ti", "FLOAT"),), in_body=True),
        LayerFacts(3, "ELEMENTWISE", "b", outputs=(TensorFacts("tb", "BOOL"),)),
    ]
    wanted = ["y", "x", "ta", "ts", "ti", "tb", "folded"]
    found = plan_marks(layers, wanted, outputs=["y"], inputs=["x"], bool_outputs=False)
    assert found.marks == {"ta": (0, 0)}
    assert set(found.skipped) == {"x", "ts", "ti", "tb", "folded"}
    assert "folded (not in the network: folded into weights)" in marks_note(found.skipped)
    assert plan_marks(layers, ["tb"], ["y"], ["x"], bool_outputs=True).marks == {"tb": (3, 0)}


def test_all_parser_errors_are_told_and_the_first_node_is_blamed() -> None:
    failure = parse_failure(
        [
            Complaint("UNSUPPORTED_NODE", None, "", "something"),
            Complaint("UNSUPPORTED_NODE", "odd", "Odd", "no importer"),
            Complaint("INVALID_NODE", "bad", "Add", "bad shape"),
        ],
        "",
    )
    assert failure.node == "odd"
    assert "node 'odd' (Odd): UNSUPPORTED_NODE: no importer" in failure.message
    assert "bad shape" in failure.message
    assert parse_failure([], "log says so").message.endswith("log says so")


@pytest.mark.parametrize(
    ("error", "node"),
    [
        ("10: Could not find any implementation for node fc1 + relu.", "fc1"),
        (
            "Error Code 10: Could not find any implementation for node relu due to insufficient workspace.",
            "relu",
        ),
        ("10: Could not find any implementation for node {ForeignNode[fc1...relu]}.", None),
        ("something else", None),
    ],
)
def test_build_errors_blame_a_node_where_they_name_one(error: str, node: str | None) -> None:
    assert blamed_node([error], {"fc1": "fc1", "relu": "relu"}) == node


def test_feeds_are_given_in_the_engines_type_or_refused() -> None:
    assert fitted("i", np.int64([1, -2]), np.dtype(np.int32)).dtype == np.int32
    assert fitted("d", np.float64([1.5]), np.dtype(np.float32)).dtype == np.float32
    scalar = fitted("s", np.array(3, np.int64), np.dtype(np.int32))
    assert scalar.shape == ()
    assert fitted("t", np.ones((2, 3), np.float32).T, np.dtype(np.float32)).flags.c_contiguous
    with pytest.raises(BuildFailure, match="'i' holds INT64 values"):
        fitted("i", np.int64([2**40]), np.dtype(np.int32))
    with pytest.raises(BuildFailure, match="'f' is float32; the engine takes int32"):
        fitted("f", np.float32([1]), np.dtype(np.int32))


@pytest.mark.parametrize(
    ("given", "model_type", "result"),
    [
        (np.int32, "int64", np.int64),
        (np.float32, "float64", np.float64),
        (np.int64, "int32", np.int64),
        (np.float32, "int64", np.float32),
        (np.float32, "bfloat16", np.float32),
        (np.float32, None, np.float32),
    ],
)
def test_outputs_come_back_in_the_models_type_where_nothing_is_lost(given, model_type, result) -> None:
    assert restored(np.ones(2, given), model_type).dtype == result


def test_the_probes_answer_survives_noise_and_crashes() -> None:
    good = parse_answer(0, 'noise\n{"x": 1}\n{"ok": true, "version": "8.6.0", "device": "H200"}\n', "")
    assert (good.ok, good.version, good.device) == (True, "8.6.0", "H200")
    assert (
        parse_answer(-11, "", "").reason
        == "trying TensorRT in a child process was killed by signal 11: it said nothing"
    )
    assert "code 1: boom" in parse_answer(1, "{broken", "trace\nboom").reason


def test_the_backend_says_why_it_is_not_here(tmp_path: Path) -> None:
    backend = TensorrtBackend()
    found = backend.probe()
    if found.ok:
        pytest.skip("TensorRT works here")
    assert found.reason
    with pytest.raises(BuildFailure, match=r"TensorRT|GPU"):
        backend.build(BuildRequest(tmp_path / "m.onnx", BuildOptions(), tmp_path))


def test_the_log_keeps_errors_and_the_last_lines() -> None:
    sink = LogSink()
    sink.add("WARNING", "one")
    sink.add("ERROR", "two\n lines")
    assert sink.first_error() == "two lines"
    assert sink.tail(1) == "[ERROR] two\n lines"


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
        prepared(model, "8.6.0", outputs=("nope",))


def test_the_parser_gets_the_named_model(model: Path) -> None:
    source = onnx_source(prepared(model, "8.6.0").proto, model.parent)
    assert isinstance(source, bytes)
    assert [n.name for n in onnx.load_from_string(source).graph.node] == ["mul", "shape", "relu"]
