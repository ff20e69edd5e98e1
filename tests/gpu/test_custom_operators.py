"""A plugin of TensorRT's own, found by the ONNX parser by its name, against a reference function in Python.

It is of libnvinfer_plugin, which TensorRT 8.6 to 10 come with, works in FP32, and needs neither cuBLAS nor cuDNN:
without these libraries InstanceNormalization_TRT, for one, aborts the process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.timeout(600)]
DOMAIN = "trt.plugins"
SOURCES = "-CUBLAS,-CUBLAS_LT,-CUDNN"
"""As long as these are on, TensorRT asks for their handles for each V2 plugin; TensorRT 11 does not know them."""

OPERATORS = """\
import numpy as np
from trtdebug.plugins.operators import operator

@operator("CustomGeluPluginDynamic", "trt.plugins")
def gelu(x, type_id):
    return (0.5 * x * (1 + np.tanh(0.7978845608028654 * x + 0.035677408136300125 * x * x * x))).astype(x.dtype)
"""
RIGHT, WRONG = "0.5 * x", "0.4 * x"
"""A fault in the function."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model conv -> gelu -> mix -> relu, its operator, and one with a fault."""
    folder = tmp_path_factory.mktemp("plugins")
    random = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("CustomGeluPluginDynamic", ["a"], ["b"], "gelu", domain=DOMAIN, type_id=0),
        helper.make_node("Conv", ["b", "v"], ["c"], "mix"),
        helper.make_node("Relu", ["c"], ["y"], "relu"),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 4, 16, 16]) for name in "xy")
    weights = [weight("w", 4, 4, 3, 3), weight("v", 4, 4, 1, 1)]
    graph = helper.make_graph(nodes, "plugins", [x], [y], weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "model.onnx")
    (folder / "good.py").write_text(OPERATORS)
    assert RIGHT in OPERATORS
    (folder / "wrong.py").write_text(OPERATORS.replace(RIGHT, WRONG))
    return folder


def trtdebug(place: Path, command: str, operators: str, *words: object) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of a command, in FP32 without TF32."""
    line = [sys.executable, "-m", "trtdebug", command, "model.onnx", "--operators", operators]
    line += ["--candidate", "tensorrt", f"--tactic-sources={SOURCES}", "--json", "--quiet", *map(str, words)]
    done = subprocess.run(line, cwd=place, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_every_layer_agrees_with_the_function(place: Path) -> None:
    code, table = trtdebug(place, "compare", "good.py", "--no-tf32", "--session", place / "good")
    rows = {row["node"]: row["propagated"] for row in table["rows"]}
    print(json.dumps(rows, indent=1))
    assert list(rows) == ["conv", "gelu", "mix", "relu"]
    assert {row["status"] for row in rows.values()} == {"pass"}
    assert code == 0


def test_in_fp16_the_plugin_stays_in_fp32_and_every_tensor_is_compared(place: Path) -> None:
    code, table = trtdebug(place, "compare", "good.py", "--fp16", "--session", place / "fp16")
    print(json.dumps([(r["node"], r["propagated"]["rms_rel"], r["local"]) for r in table["rows"]], indent=1))
    assert [row["node"] for row in table["rows"]] == ["conv", "gelu", "mix", "relu"]
    assert code == 0


def test_the_node_whose_two_implementations_differ_is_named(place: Path) -> None:
    code, report = trtdebug(place, "run", "wrong.py", "--no-tf32", "--session", place / "wrong")
    print(json.dumps(report["culprits"], indent=1), report.get("unknown", ""))
    assert (code, report["verdict"]) == (1, "diverges")
    assert report["first_divergence"]["node"] == "gelu"
    assert {name for culprit in report["culprits"] for name in culprit["nodes"]} == {"gelu"}


@pytest.mark.parametrize(("operators", "exit_code"), [("good.py", 0), ("wrong.py", 1)])
def test_a_unit_test_of_the_plugin_runs_in_a_fresh_process(
    place: Path, operators: str, exit_code: int, tmp_path: Path
) -> None:
    words = ["--no-tf32", "--nodes", "gelu", "--output", tmp_path / "unit"]
    code, made = trtdebug(place, "repro", operators, *words, "--session", tmp_path / "session")
    assert made["verified"], made["note"]
    assert (code, made["passes"], made["nodes"]) == (exit_code, exit_code == 0, 1)
    asked = json.loads((tmp_path / "unit" / "repro.json").read_text(encoding="utf-8"))
    assert asked["options"]["tactic_sources"] == SOURCES
    line = [sys.executable, tmp_path / "unit" / "repro.py", "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert json.loads(done.stdout)["backend"] == "tensorrt"
