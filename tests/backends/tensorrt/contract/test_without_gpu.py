"""Our code on the real bindings of 10 and 11, as far as it goes without a GPU."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import bindings
import pytest

from trtdebug.backends.tensorrt import compat

BACKEND = Path(compat.__file__).parent


@pytest.fixture(params=bindings.TENSORRT)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def said(child, version):
    """Runs Python code with this version's `tensorrt`; gives what it assigned to `answer`."""

    def run(code: str, *arguments: str) -> Any:
        done = child(version).run(
            "-c", f"import json\n{code}\nprint()\nprint(json.dumps(answer))", *arguments
        )
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_the_installed_version_answers_for_itself(said, version) -> None:
    code = """
from trtdebug.backends.tensorrt import compat
answer = compat.installed(), {name: compat.has(name) for name in compat.CAPABILITIES}
"""
    assert said(code) == [version, {name: compat.has(name, version) for name in compat.CAPABILITIES}]


def test_the_logger_forwards_warnings_and_errors(said) -> None:
    code = """
import logging
import tensorrt as trt
from trtdebug.backends.tensorrt.logger import collected, trt_logger
lines = []
kept = logging.Handler()
kept.emit = lambda record: lines.append(record.getMessage())
logging.getLogger("trtdebug.tensorrt").addHandler(kept)
with collected() as log:
    for name, severity in trt.ILogger.Severity.__members__.items():
        trt_logger().log(severity, f"{name.lower()} was said")
answer = lines, log.errors, isinstance(trt_logger(), trt.ILogger), trt_logger() is trt_logger()
"""
    lines, errors, is_logger, is_one = said(code)
    assert sorted(lines) == [
        "[TensorRT ERROR] error was said",
        "[TensorRT INTERNAL_ERROR] internal_error was said",
        "[TensorRT WARNING] warning was said",
    ]
    assert sorted(errors) == ["error was said", "internal_error was said"]
    assert is_logger
    assert is_one


def test_the_profiler_is_one_of_tensorrt(said) -> None:
    code = """
from types import SimpleNamespace
import tensorrt as trt
from trtdebug.backends.tensorrt.profile import measure
context = SimpleNamespace(profiler=None)
times = measure(context, lambda: context.profiler.report_layer_time("conv", 0.25), runs=2)
answer = times, isinstance(context.profiler, trt.IProfiler)
"""
    assert said(code) == [[{"conv": 0.25}, {"conv": 0.25}], True]


def test_calibrators_exist_where_int8_is_calibrated(said, version) -> None:
    code = """
from pathlib import Path
import tensorrt as trt
from trtdebug.backends.tensorrt import calibration
kinds = {kind for kind, name in calibration._CALIBRATORS.items() if hasattr(trt, name)}
made = [calibration.calibrator(calibration.CalibrationCache(Path("c"), b"cached", kind, "1")) for kind in kinds]
answer = [isinstance(c, trt.IInt8Calibrator) and c.read_calibration_cache().decode() for c in made]
"""
    assert said(code) == (["cached"] * 3 if compat.has("CALIBRATION", version) else [])


def test_members_are_reached_by_name(said, version) -> None:
    code = """
import tensorrt as trt
from trtdebug.backends.tensorrt import compat
types = {name: compat.member(trt.DataType, member).name for name, member in compat.TRT_TYPE.items()}
flags = [n for n in ("FP16", "INT8", "BF16") if compat.member(trt.BuilderFlag, n) is not None]
answer = types, flags, compat.names(trt.TacticSource)
"""
    types, flags, sources = said(code)
    assert types == compat.TRT_TYPE
    assert flags == (["FP16", "INT8", "BF16"] if compat.has("WEAK_TYPING", version) else [])
    assert sorted(sources) == sources
    assert ("CUBLAS" in sources) == compat.has("WEAK_TYPING", version)
    assert "JIT_CONVOLUTIONS" in sources


def test_keys_of_the_timing_cache_parse(said) -> None:
    code = """
import tensorrt as trt
key = trt.TimingCacheKey.parse("0x" + "0123456789abcdef" * 2)
value = trt.TimingCacheValue(0x5B8BF1B8028629D9, 1.0)
answer = str(key), value.tacticHash
"""
    key, tactic = said(code)
    assert "0123456789abcdef" * 2 in key.lower()
    assert tactic == 0x5B8BF1B8028629D9


def test_a_builder_that_cannot_be_had_is_a_build_failure(said, tmp_path: Path) -> None:
    code = """
from trtdebug.backends.tensorrt.logger import collected
from trtdebug.backends.tensorrt.network import parse_network
from trtdebug.core.errors import BuildFailure
try:
    with collected() as log:
        parse_network(b"", [], [], strong=True, log=log)
except BuildFailure as failure:
    answer = failure.message
"""
    message = said(code)
    assert message.startswith("TensorRT makes no builder here: ")
    assert "pybind" not in message


def test_the_backend_says_so_too(said, version, tmp_path: Path) -> None:
    """The whole way: plan, model, precision, network; a GPU that is none stands in for one that does not work."""
    code = """
import sys
from pathlib import Path
import onnx
from onnx import helper
from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
folder = Path(sys.argv[1])
x, y = (helper.make_tensor_value_info(n, 1, [2]) for n in "xy")
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], "relu")], "g", [x], [y])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "m.onnx")
try:
    TensorrtBackend().build(BuildRequest(folder / "m.onnx", BuildOptions("fp16"), folder))
except BuildFailure as failure:
    answer = failure.message
"""
    assert said(code, str(tmp_path)).startswith("TensorRT makes no builder here: ")


def test_doctor_says_it_in_one_plain_sentence(child, version) -> None:
    done = child(version).run("-c", "from trtdebug.cli.app import main; main()", "doctor", "--json")
    found = json.loads(done.stdout)["backends"]["tensorrt"]
    assert not found["ok"]
    assert found["version"] == version
    assert found["device"] == "X"
    assert found["reason"].startswith(f"TensorRT {version} makes no builder: ")
    assert not {"pybind", "Traceback", "TypeError"} & set(found["reason"].replace(":", " ").split())
    assert "\n" not in found["reason"]


def test_classes_that_inherit_from_tensorrt_initialise_it() -> None:
    """A Python object whose C++ half was never made crashes TensorRT, or is refused."""
    sources = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in BACKEND.glob("*.py")}
    heirs = [
        (f"{name}:{node.lineno}", base, ast.unparse(node))
        for name, tree in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in map(ast.unparse, node.bases)
        if base.startswith("trt.") or base == "base"
    ]
    assert "trt.ILogger" in {base for _, base, _ in heirs}
    assert not [place for place, base, source in heirs if f"{base}.__init__(self)" not in source]
