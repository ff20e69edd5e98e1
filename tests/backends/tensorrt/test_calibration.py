"""Calibration caches, read and refused."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import function_models
import onnx
import pytest
from onnx import helper

from trtdebug.backends.tensorrt.calibration import calibrator, is_quantised, read_calibration_cache
from trtdebug.core.errors import BuildFailure

CACHE = b"TRT-8600-EntropyCalibration2\nx: 3c010a14\n"


def test_a_cache_tells_how_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "c.cache"
    path.write_bytes(CACHE)
    found = read_calibration_cache(path)
    assert (found.kind, found.version, found.content) == ("EntropyCalibration2", "8600", CACHE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with ''"),
        (b"hello\nworld", "begins with 'hello'"),
        (b"TRT-8600-LegacyCalibration\n", "TRT-8600-LegacyCalibration"),
        (b"\xff\xfe\x00", "is no calibration cache"),
    ],
)
def test_what_is_none_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "c.cache"
    path.write_bytes(content)
    with pytest.raises(BuildFailure, match=message):
        read_calibration_cache(path)
    with pytest.raises(BuildFailure, match=r"nowhere.cache cannot be read: No such file"):
        read_calibration_cache(tmp_path / "nowhere.cache")


def test_the_calibrator_gives_the_cache_and_no_data_and_leaves_the_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(IInt8MinMaxCalibrator=object))
    path = tmp_path / "c.cache"
    path.write_bytes(CACHE.replace(b"EntropyCalibration2", b"MinMaxCalibration"))
    found = calibrator(read_calibration_cache(path))
    assert found.read_calibration_cache() == path.read_bytes()
    assert not found.asked_for_data
    assert found.get_batch(["x"]) is None
    assert found.asked_for_data
    found.write_calibration_cache(b"other")
    assert b"MinMax" in path.read_bytes()


def test_a_model_is_quantised_by_its_nodes_in_bodies_and_functions_too() -> None:
    def model(*nodes: onnx.NodeProto, functions: Sequence[onnx.FunctionProto] = ()) -> onnx.ModelProto:
        return helper.make_model(helper.make_graph(nodes, "g", [], []), functions=functions)

    quantise = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    body = helper.make_graph([quantise], "b", [], [])
    assert is_quantised(model(quantise))
    assert is_quantised(model(helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)))
    assert not is_quantised(model(helper.make_node("Relu", ["x"], ["y"])))
    call = function_models.call("Quantise", ["x", "s", "z"], ["y"], "call")
    inside = function_models.function("Quantise", [quantise], ["x", "s", "z"], ["q"])
    assert is_quantised(model(call, functions=[inside]))
    assert not is_quantised(model(call, functions=[function_models.outer()]))
