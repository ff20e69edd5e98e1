"""Operators from files: what a file may hold, and what is said of one that cannot be used."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from custom_models import CUBE, SWISH, cube_model, function_file

from trtdebug.core.errors import UserError
from trtdebug.plugins.operators import operator, operator_source, operators_of


def in_file(folder: Path, text: str):
    path = folder / "ops.py"
    path.write_text(text)
    return operators_of(operator_source(path))


def test_a_marked_function_stays_a_function_and_is_found_in_its_file(tmp_path):
    @operator("Twice", "my.ops")
    def twice(x):
        return 2 * x

    assert twice(2) == 4
    (found,) = in_file(tmp_path, SWISH)
    assert (found.name, found.op, found.domain) == ("my.ops::Swish", "Swish", "my.ops")
    np.testing.assert_array_equal(found.compute(np.zeros(2), beta=2.0), np.zeros(2))


def test_instances_of_operator_in_the_file_count_too_each_once(tmp_path):
    text = (
        CUBE
        + "from trtdebug.plugins.types import Operator\nplus = Operator('Plus', compute=cube)\nagain = plus\n"
    )
    assert [each.name for each in in_file(tmp_path, text)] == ["my.ops::Cube", "Plus"]


def test_functions_of_a_model_file_are_bodies(tmp_path):
    (found,) = operators_of(operator_source(function_file(tmp_path / "functions.onnx")))
    assert found.name == "my.ops::Swish"
    assert found.compute is None
    assert [node.op_type for node in found.body.node] == ["Constant", "Mul", "Sigmoid", "Mul"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "holds no operators"),
        ("def f(:\n", r"ops.py, line 1 raises SyntaxError"),
        ("\n1 / 0\n", r"ops.py, line 2 raises ZeroDivisionError: division by zero"),
        ("import surely_not_there\n", "raises ModuleNotFoundError: No module named 'surely_not_there'"),
        ("raise SystemExit(3)\n", "raises SystemExit: 3"),
        (SWISH + SWISH.replace("def swish", "def other"), "two implementations of my.ops::Swish"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as caught:
        in_file(tmp_path, text)
    assert "\n" not in caught.value.message


def test_a_model_without_functions_and_a_file_of_another_kind_are_refused(tmp_path):
    onnx.save(cube_model(), tmp_path / "model.onnx")
    with pytest.raises(UserError, match="holds no operators"):
        operators_of(operator_source(tmp_path / "model.onnx"))
    (tmp_path / "ops.txt").write_text("?")
    with pytest.raises(UserError, match="no file that operators come from"):
        operator_source(tmp_path / "ops.txt")
    with pytest.raises(UserError, match="there is no operators file"):
        operator_source(tmp_path / "gone.py")
    (tmp_path / "ops.onnx").write_bytes(b"\xff\xff")
    with pytest.raises(UserError, match="not an ONNX model"):
        operators_of(operator_source(tmp_path / "ops.onnx"))


def test_a_file_that_has_changed_is_not_used(tmp_path):
    (tmp_path / "ops.py").write_text(SWISH)
    source = operator_source(tmp_path / "ops.py")
    (tmp_path / "ops.py").write_text(CUBE)
    with pytest.raises(UserError, match="not what it was when the case was opened"):
        operators_of(source)


def test_a_file_of_the_same_size_and_second_is_read_anew(tmp_path, monkeypatch):
    """Python keeps compiled code by these two."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "ops.py"
    for op in ("Add", "Mul"):
        path.write_text(CUBE.replace("Cube", op))
        os.utime(path, (1_000_000_000, 1_000_000_000))
        assert [each.op for each in operators_of(operator_source(path))] == [op]
