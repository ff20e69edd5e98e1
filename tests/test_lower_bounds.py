"""What the package takes for granted is in the oldest versions that pyproject.toml allows."""

from __future__ import annotations

import re
from pathlib import Path

from onnx import TensorProto

ROOT = Path(__file__).resolve().parents[1]
NEWEST_TYPE = TensorProto.INT4
"""The last element type that ONNX 1.16 knows; a later one is AttributeError there."""


def test_element_types_are_those_of_the_oldest_onnx() -> None:
    assert "onnx>=1.16" in (ROOT / "pyproject.toml").read_text()
    used = {
        name
        for folder in (ROOT / "trtdebug", ROOT / "extensions", ROOT / "samples")
        for file in folder.rglob("*.py")
        if "tests" not in file.relative_to(ROOT).parts
        for name in re.findall(
            r"(?<!`onnx\.)TensorProto\.([A-Z][A-Z0-9_]+)\b", file.read_text(encoding="utf-8")
        )
    }
    assert {"FLOAT16", "INT4"} <= used
    assert {name for name in used if getattr(TensorProto, name) > NEWEST_TYPE} == set()
