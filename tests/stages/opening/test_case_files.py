"""No stored result is of another file than the case's: plugin libraries, calibration caches, operators, models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import onnx.parser
import pytest

from trtdebug.core.case import BuildOptions, Case
from trtdebug.plugins.builtin import load_plugins
from trtdebug.stages.opening.case_files import changed_file
from trtdebug.stages.opening.preflight import CaseRequest, prepare

OPERATORS = """
from trtdebug.plugins.operators import operator

@operator("Twice", "my")
def twice(x):
    return x + x
"""


@pytest.fixture
def request_(tmp_path: Path) -> CaseRequest:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17, "my" : 1]>
        g (float[4] x) => (float[4] y) { a = my.Twice(x) y = Relu(a) }""")
    onnx.save(model, tmp_path / "model.onnx")
    onnx.save(model, tmp_path / "other.onnx")
    (tmp_path / "lib.so").write_bytes(b"first")
    (tmp_path / "twice.py").write_text(OPERATORS)
    return CaseRequest(
        tmp_path / "model.onnx",
        BuildOptions(plugins=(str(tmp_path / "lib.so"),)),
        candidate="emulator",
        operators=(tmp_path / "twice.py",),
        candidate_model=tmp_path / "other.onnx",
    )


def opened(request: CaseRequest) -> Case:
    return prepare(request, load_plugins(third_party=False)).case


def test_the_same_files_are_the_same_case(request_: CaseRequest) -> None:
    case = opened(request_)
    assert changed_file(case) is None
    assert opened(request_) == case


@pytest.mark.parametrize("name", ["lib.so", "twice.py", "other.onnx"])
def test_a_file_that_holds_something_else_is_told(name: str, request_: CaseRequest, tmp_path: Path) -> None:
    case = opened(request_)
    path = tmp_path / name
    now = path.read_bytes().replace(b"Relu", b"Tanh") if name == "other.onnx" else path.read_bytes() + b"\n"
    path.write_bytes(now)
    assert changed_file(case) == str(path)
    path.unlink()
    assert changed_file(case) == str(path)


def test_another_content_of_a_plugin_library_is_another_case(request_: CaseRequest, tmp_path: Path) -> None:
    case = opened(request_)
    (tmp_path / "lib.so").write_bytes(b"second")
    again = opened(request_)
    assert again.options != case.options
    assert again.options.for_reference != case.options.for_reference
    assert replace(again.options, contents={}) == replace(case.options, contents={})
