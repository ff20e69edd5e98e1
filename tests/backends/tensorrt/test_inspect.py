"""The inspector's JSON in both schemas, and formats."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine_json import RS, TRT8, TRT10, TRT11

from trtdebug.backends.tensorrt import inspect
from trtdebug.backends.tensorrt.inspect import (
    LAYERS_FILE,
    EngineLayer,
    format_precision,
    parse_dump,
    read_dump,
)
from trtdebug.core.errors import NotHonoured


def test_the_schema_of_8_to_10() -> None:
    dump = parse_dump(TRT8)
    assert dump.bindings == {"x", "y"}
    assert dump.detailed
    reformat, conv, block = dump.layers
    assert (reformat.is_reformat, reformat.reads, reformat.writes) == (True, ("fp32",), ("fp16",))
    assert (conv.type, conv.reads, conv.precision) == ("CaskConvolution", ("fp16",), "fp16")
    assert conv.tactic == "sm90_xmma_fprop_implicit_gemm_f16f16_f16f32_f32"
    assert (block.foreign, block.in_myelin, block.precision) == ("mean...divide", True, "fp32")
    assert (conv.foreign, conv.in_myelin) == (None, False)
    assert all(layer.in_myelin and layer.foreign is None for layer in parse_dump(TRT10).layers)


def test_the_schema_of_11() -> None:
    dump = parse_dump(TRT11)
    assert dump.bindings == {"x", "y"}
    (layer,) = dump.layers
    assert (layer.reads, layer.writes, layer.tactic) == (("fp32",), ("fp16",), "sm80_xmma_gemm")


def test_names_alone_when_built_without_details() -> None:
    dump = parse_dump('{"Layers": ["conv1 + relu1"], "Bindings": ["x"]}')
    assert dump.layers == (EngineLayer("conv1 + relu1"),)
    assert not dump.detailed


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"Layers": 3}'])
def test_unreadable_text_is_said_to_be_so(text: str) -> None:
    with pytest.raises(NotHonoured, match="nothing readable"):
        parse_dump(text)


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("Row major linear FP32", "fp32"),
        ("Four wide channel vectorized row major Int8 format", "int8"),
        ("Channel major FP16 format where channel % 8 == 0", "fp16"),
        ("Half", "fp16"),
        ("Float", "fp32"),
        ("BFloat16", "bf16"),
        ("Row major linear BF16", "bf16"),
        ("Row major Int8 format", "int8"),
        ("Int64", "int64"),
        ("Row major linear UInt8 format", "uint8"),
        ("FP8", "fp8"),
        ("Bool", "bool"),
        ("N/A due to dynamic shapes", None),
        ("", None),
    ],
)
def test_formats(text: str, precision: str | None) -> None:
    assert format_precision(text) == precision


@pytest.mark.parametrize(
    ("outputs", "writes", "precision"),
    [
        (["fp16", "int32"], ("fp16",), "fp16"),  # TopK: only the values count
        (["fp16", "fp32"], ("fp16", "fp32"), None),
        (["int32"], ("int32",), "int32"),
        (["int32", None], ("int32",), None),
        ([None], (), None),
    ],
)
def test_what_a_layer_writes(outputs: list[Any], writes: tuple[str, ...], precision: str | None) -> None:
    layer = EngineLayer("a", outputs=tuple(inspect.EngineTensor(str(i), p) for i, p in enumerate(outputs)))
    assert (layer.writes, layer.precision) == (writes, precision)


def test_the_inspectors_words_are_kept_as_json_that_any_parser_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TRT8.replace("\\u001e", RS)  # TensorRT leaves control characters as they are
    with pytest.raises(ValueError, match="control character"):
        json.loads(text)
    monkeypatch.setattr(inspect, "inspector_json", lambda engine: text)
    dump = read_dump(SimpleNamespace(), tmp_path / "trial")
    kept = json.loads((tmp_path / "trial" / LAYERS_FILE).read_text())
    assert kept == json.loads(TRT8)
    assert dump == parse_dump(TRT8)
    read_dump(SimpleNamespace(), None)
    assert len(list(tmp_path.rglob("*.json"))) == 1
