"""Node names and operators out of the bytes of an ONNX file."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from seed_models import model_of, node, value

from trtdebug.core.errors import UserError
from trtdebug.export.scripts.onnx_nodes import onnx_nodes


def expected(path: Path) -> dict[str, str]:
    model = onnx.load(path, load_external_data=False)
    return {n.name or f"node_of_{n.output[0]}": n.op_type for n in model.graph.node}


def test_as_onnx_reads_them(fixed) -> None:
    assert onnx_nodes(fixed.model) == expected(fixed.model)


@pytest.mark.parametrize(
    "name", ["magika_standard_v3_3.onnx", "silero_vad_16k_static.onnx", "minilm_l6_v4096.onnx"]
)
def test_of_real_models(model_path, name: str) -> None:
    assert onnx_nodes(model_path(name)) == expected(model_path(name))


def test_nameless_nodes_are_called_as_the_parser_calls_them(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], ["层"], ""), node("Neg", ["层"], ["y"], "neg")]
    path = tmp_path / "m.onnx"
    onnx.save(model_of(nodes, [value("x", [2])], [value("y", [2])], []), path)
    assert onnx_nodes(path) == {"node_of_层": "Relu", "neg": "Neg"}


@pytest.mark.parametrize(
    "content", [b"", b"garbage, garbage", b"\x08", b"\x3a\xff\xff\xff\xff\x0f", b"\x00" * 50]
)
def test_what_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match="no ONNX model"):
        onnx_nodes(path)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read"):
        onnx_nodes(tmp_path / "nothing.onnx")


def test_a_truncated_model(fixed, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(fixed.model.read_bytes()[:-1000])
    with pytest.raises(UserError, match="no ONNX model"):
        onnx_nodes(path)
