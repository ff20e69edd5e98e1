"""`trtdebug quant`: the table, JSON, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from trtdebug_quant.command import quant

from trtdebug.core.errors import UserError


@pytest.fixture
def files(network, quantised, sample, spoiled, tmp_path) -> Path:
    onnx.save(network, tmp_path / "float.onnx")
    onnx.save(spoiled(quantised, r2_scale=0.05), tmp_path / "int8.onnx")
    np.savez(tmp_path / "in.npz", **sample)
    return tmp_path


def test_a_line_a_layer_the_worst_first(files, capsys):
    quant(files / "int8.onnx", float_model=files / "float.onnx", inputs=files / "in.npz")
    head, empty, names, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("int8.onnx: 5 quantised layers, 1 sample; SQNR of its outputs ")
    assert (empty, names.split()) == ("", ["layer", "op", "SQNR", "outputs", "worst", "operand"])
    assert rows[0].split()[:2] == ["n_c3", "Conv"]
    assert rows[0].split()[6] == "r2"
    outputs = [float(row.split()[4]) for row in rows]
    assert outputs == sorted(outputs)


def test_json_has_every_operand(files, capsys):
    quant(files / "int8.onnx", float_model=files / "float.onnx", inputs=files / "in.npz", as_json=True)
    found = json.loads(capsys.readouterr().out)
    worst = found["layers"][0]
    assert (found["samples"], worst["node"]) == (1, "n_c3")
    assert worst["operands"]["r2"] < 10 < worst["operands"]["w3_quantized"]
    assert set(found["outputs"]) == {"y"}


def test_random_inputs_without_any(files, capsys):
    quant(files / "int8.onnx", val_range=["[-1,1]"], as_json=True)
    one = capsys.readouterr().out
    quant(files / "int8.onnx", val_range=["[-1,1]"], seed=1, as_json=True)
    assert capsys.readouterr().out != one
    assert json.loads(one)["float_model"] is None


def test_says_what_is_wrong(files, capsys):
    with pytest.raises(UserError, match=r"float.onnx has no Q/DQ pair"):
        quant(files / "float.onnx")
    with pytest.raises(UserError, match="no file"):
        quant(files / "none.onnx")
    np.savez(files / "wrong.npz", z=np.ones(3, np.float32))
    with pytest.raises(UserError, match="'z'"):
        quant(files / "int8.onnx", inputs=files / "wrong.npz")


def test_says_that_scales_of_blocks_are_left_as_they_are(tmp_path):
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]> g (float[2, 4] x) => (float[2, 1] y) '
        "<int8[4, 1] w = {1, 2, 3, 4}, float[2, 1] s = {0.1, 0.2}> "
        "{ d = DequantizeLinear<axis=0, block_size=2>(w, s) y = MatMul(x, d) }"
    )
    onnx.save(model, tmp_path / "blocks.onnx")
    with pytest.raises(UserError, match=r"no Q/DQ pair of one scale, or of one a channel"):
        quant(tmp_path / "blocks.onnx")
