"""Options that TensorRT cannot take, told before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import TensorProto, helper, save

from trtdebug.backends.tensorrt.check import check_options
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import UserError


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """plain.onnx, and quantised.onnx with a pair of QuantizeLinear and DequantizeLinear. And a cache."""
    value = helper.make_tensor_value_info
    weights = [helper.make_tensor("s", 1, [], [0.1]), helper.make_tensor("z", TensorProto.INT8, [], [0])]
    pair = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantise"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], "dequantise"),
    ]
    for name, nodes in {"plain": [helper.make_node("Relu", ["x"], ["y"], "relu")], "quantised": pair}.items():
        used = weights if name == "quantised" else []
        graph = helper.make_graph(nodes, "g", [value("x", 1, [4])], [value("y", 1, [4])], used)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        save(made, tmp_path / f"{name}.onnx")
    (tmp_path / "c.cache").write_text("TRT-8600-EntropyCalibration2\n")
    (tmp_path / "text").write_text("hello")
    return tmp_path


def int8(models: Path, cache: str | None = None) -> BuildOptions:
    return BuildOptions(precision="int8", calibration_cache=str(models / cache) if cache else None)


def test_int8_with_scales_is_taken(models: Path) -> None:
    check_options(int8(models), models / "quantised.onnx", "8.6.0")
    check_options(int8(models), models / "quantised.onnx", "11.4.0")
    check_options(int8(models, "c.cache"), models / "plain.onnx", "10.16.1")
    check_options(BuildOptions(precision="fp16"), models / "plain.onnx", "8.6.0")


@pytest.mark.parametrize(
    ("cache", "model", "version", "message"),
    [
        (None, "plain", "8.6.0", "plain.onnx has no QuantizeLinear or DequantizeLinear"),
        ("c.cache", "quantised", "8.6.0", "quantised by its own QuantizeLinear nodes"),
        ("c.cache", "plain", "11.4.0", r"TensorRT 11.4.0 knows no calibration any more.*Quantise the model"),
        ("text", "plain", "8.6.0", "is no calibration cache: it begins with 'hello'"),
    ],
)
def test_int8_without_scales_that_can_be_used_is_refused(
    models: Path, cache: str | None, model: str, version: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check_options(int8(models, cache), models / f"{model}.onnx", version)


def test_a_precision_that_the_version_lacks_is_refused(models: Path) -> None:
    with pytest.raises(UserError, match="has no bf16"):
        check_options(BuildOptions(precision="bf16"), models / "plain.onnx", "8.6.0")


@pytest.mark.parametrize(("sources", "version"), [("-CUBLAS,-NOPE", "8.6.0"), ("-NOPE", "11.4.0")])
def test_a_tactic_source_that_the_version_lacks_is_refused_by_name(
    models: Path, sources: str, version: str
) -> None:
    with pytest.raises(UserError, match=f"TensorRT {version} has no tactic source 'NOPE'.*There are: "):
        check_options(BuildOptions(tactic_sources=sources), models / "plain.onnx", version)
    with pytest.raises(UserError, match="no tactic source 'CUBLAS'"):
        check_options(BuildOptions(tactic_sources="-CUBLAS"), models / "plain.onnx", "11.4.0")


def test_a_broken_library_is_refused(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (models / "tensorrt.py").write_text(
        "def get_plugin_registry():\n    class R: plugin_creator_list = []\n    return R\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(models))
    with pytest.raises(UserError, match=r"text cannot be loaded: .*Check --plugins"):
        check_options(BuildOptions(plugins=(str(models / "text"),)), models / "plain.onnx", "8.6.0")
