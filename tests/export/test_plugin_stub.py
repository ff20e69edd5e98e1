"""Plugin projects: what is in them holds whatever the node is called, and nothing of it leaves the folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from command_line import trtdebug
from rewriting import model_of, run

from trtdebug.core.errors import UserError
from trtdebug.export.plugin_stub import write_stub
from trtdebug.graph.input_files import load_inputs
from trtdebug.plugins.operators import operator_source, operators_of

EVIL = 'Fa"ke!\n*/ ../../$name'


@pytest.fixture
def det(tmp_path: Path) -> Path:
    onnx.save(model_of("h = Tanh(x) d = Det(h) y = Neg(d)", [4, 3, 3]), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "my ops" : 1]>
        g (float[3] x, int64[2] i) => (float[3] y) { h = Tanh(x) y = Relu(h) }"""
    )
    node = model.graph.node[1]
    node.domain, node.op_type, node.name = "my ops", EVIL, "../c"
    node.input.append("i")
    for name, value in (('al"pha\n//', [1.0, 2.0]), ("mode", "x"), ("k", 3), ("plugin_version", "1")):
        node.attribute.append(onnx.helper.make_attribute(name, value))
    onnx.save(model, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def inputs(folder: Path) -> dict[str, np.ndarray]:
    """What `--inputs inputs.json` gives."""
    [sample] = load_inputs(folder / "inputs.json")
    return sample


def test_a_node_of_onnx_with_what_it_reads_in_the_model(det: Path, tmp_path: Path) -> None:
    stub = write_stub(det, "node_of_d", tmp_path / "stub")
    assert stub.recorded
    assert files(stub.folder) == {
        "README.md", "CMakeLists.txt", "plugin.cpp", "test_plugin.py", "node.onnx", "inputs.json",
    }  # fmt: skip
    h = inputs(stub.folder)["h"]
    assert (h.shape, h.dtype) == ((4, 3, 3), np.float32)
    assert (np.abs(h) < 1).all()  # what Tanh gives
    alone = onnx.load(stub.folder / "node.onnx")
    assert [node.op_type for node in alone.graph.node] == ["Det"]
    np.testing.assert_allclose(run(alone, {"h": h})["d"], np.linalg.det(h), rtol=1e-4)
    assert "a start, not a fix" in (stub.folder / "README.md").read_text()
    assert 'NAME = "Det"' in (stub.folder / "plugin.cpp").read_text()


def test_names_that_would_break_out_of_a_string_do_not(evil: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    stub = write_stub(evil, "../c", tmp_path / "stub")
    assert {path for path in files(tmp_path) if not path.startswith("stub/")} == before
    source = (stub.folder / "plugin.cpp").read_text()
    assert r'NAME = "Fa\"ke!\n*/ ../../$name";' in source
    assert r'std::strcmp(field.name, "al\"pha\n//") == 0' in source
    assert "plugin_version" not in source
    for line in source.splitlines():
        assert line.count('"') - line.count(r"\"") in (0, 2, 4, 6)
    assert "\n*/" not in source
    for name in ("reference.py", "test_plugin.py"):
        ast.parse((stub.folder / name).read_text())
    assert re.search(
        r"^project\(Fa_ke_+namePlugin ", (stub.folder / "CMakeLists.txt").read_text(), re.MULTILINE
    )


@pytest.mark.parametrize(("piece", "times"), [("x", 300), ("a/b", 90), ("\N{SNOWMAN}", 100), ("x", 70_000)])
def test_a_name_may_be_longer_than_any_files(piece: str, times: int, det: Path, tmp_path: Path) -> None:
    name = piece * times
    model = onnx.load(det)
    tanh, node, _ = model.graph.node
    tanh.output[0] = node.input[0] = name
    node.op_type, node.domain = "O" * 300, "my"
    model.opset_import.append(onnx.helper.make_opsetid("my", 1))
    onnx.save(model, det)
    folder = write_stub(det, "node_of_d", tmp_path / "stub").folder
    assert inputs(folder).keys() == {name}
    [library] = re.findall(r"add_library\((\w+) ", (folder / "CMakeLists.txt").read_text())
    assert len(f"lib{library}.so") < 255
    assert f'NAME = "{"O" * 300}"' in (folder / "plugin.cpp").read_text()


def test_the_reference_of_a_custom_operator_is_one_that_trtdebug_takes(evil: Path, tmp_path: Path) -> None:
    stub = write_stub(evil, "../c", tmp_path / "stub")
    [operator] = operators_of(operator_source(stub.folder / "reference.py"))
    assert (operator.domain, operator.op) == ("my ops", EVIL)
    assert operator.compute is not None
    with pytest.raises(NotImplementedError, match="write down"):
        operator.compute(np.ones(3), np.ones(2))


def test_where_the_model_does_not_run_up_to_the_node_that_is_said(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "my" : 1]>
        g (float[3] x) => (float[3] y) <float[3] h> { h = my.Unknown(x) [last] y = my.Other(h) }"""
    )
    onnx.save(model, tmp_path / "model.onnx")
    stub = write_stub(tmp_path / "model.onnx", "last", tmp_path / "stub")
    assert not stub.recorded
    assert "my::Unknown" in stub.why_not
    assert "random values" in (stub.folder / "README.md").read_text()
    assert inputs(stub.folder)["h"].shape == (3,)


@pytest.mark.parametrize(
    ("node", "says"), [("nobody", "no node 'nobody'"), ("node_of_d", "is there already")]
)
def test_bad_requests(node: str, says: str, det: Path, tmp_path: Path) -> None:
    if node == "node_of_d":
        (tmp_path / "stub").mkdir()
    with pytest.raises(UserError, match=says):
        write_stub(det, node, tmp_path / "stub")
    assert not (tmp_path / "stub" / "plugin.cpp").exists()


def test_the_command(det: Path, tmp_path: Path) -> None:
    done = trtdebug("plugin-stub", "model.onnx", "node_of_d", "--out", "stub", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "wrote stub: a start, not a fix. Its README.md says what to write.\n"
    again = trtdebug("plugin-stub", "model.onnx", "node_of_d", "--out", "stub", cwd=tmp_path)
    assert again.returncode == 2
    assert "there already" in again.stderr
