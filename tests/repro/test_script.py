"""repro.py by itself: its verdict is the oracle's, and it needs nothing of trtdebug."""

from __future__ import annotations

import ast
import json
import math
import sys
from pathlib import Path

import bindings
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trtdebug.core.told import known
from trtdebug.oracle.compare import compare as oracle_compare
from trtdebug.oracle.tolerance import Limits
from trtdebug.oracle.verdict import judge as oracle_judge
from trtdebug.repro.script_files import source
from trtdebug.repro.scripts import comparing, result

VALUES = st.sampled_from([0.0, 1.0, 1.001, 1.02, -1.0, 1e-9, 3e38, math.inf, -math.inf, math.nan])
ARRAYS = hnp.arrays(np.float32, st.sampled_from([(), (0,), (3,), (2, 2)]), elements=VALUES)


@given(reference=ARRAYS, candidate=st.one_of(st.none(), ARRAYS), limit=st.sampled_from([1e-5, 1e-2]))
def test_floats_are_judged_as_the_oracle_judges_them(reference, candidate, limit) -> None:
    row = comparing.compare("t", reference, candidate, limit)
    error = oracle_compare("t", reference, candidate, Limits(rms=limit))
    assert (row.kind, row.nonfinite) == (error.kind, error.nonfinite)
    assert (row.max_abs, row.rms_rel) == (known(error, error.max_abs), known(error, error.rms_rel))
    signature = oracle_judge([error])[1]
    assert comparing.judge([row]) == (signature.kind if signature else None)


TOLERANCES = st.sampled_from([None, 0.0, 1e-3, 1.0])


@given(reference=ARRAYS, candidate=ARRAYS, atol=TOLERANCES, rtol=TOLERANCES)
def test_atol_and_rtol_are_the_oracles_element_rule(reference, candidate, atol, rtol) -> None:
    row = comparing.compare("t", reference, candidate, 1e-2, atol, rtol)
    assert row.kind == oracle_compare("t", reference, candidate, Limits(1e-2, atol, rtol)).kind


@given(
    reference=hnp.arrays(np.int64, (3,), elements=st.integers(0, 2)),
    candidate=hnp.arrays(np.int32, (3,), elements=st.integers(0, 2)),
)
def test_integers_must_be_equal_whatever_their_width(reference, candidate) -> None:
    row = comparing.compare("t", reference, candidate, 1e-2)
    assert row.kind == oracle_compare("t", reference, candidate, Limits(rms=1e-2)).kind
    assert (row.kind is None) == bool((reference == candidate).all())


def test_the_script_imports_only_what_a_stranger_has() -> None:
    tree = ast.parse(source("run_repro"))
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    modules |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    foreign = {m.split(".")[0] for m in modules if m} - set(sys.stdlib_module_names)
    assert foreign == {
        "numpy",
        "onnxruntime",
        "tensorrt",
        "cuda",
        "trtdebug",
    }  # trtdebug for custom operators only


SOURCES = """
import json, sys, tensorrt as trt
from trtdebug.core.errors import UserError
from trtdebug.scripts.tactic_sources import set_tactic_sources

def after(value):
    config = trt.Builder(trt.Logger()).create_builder_config()
    try:
        set_tactic_sources(trt, config, value)
    except UserError as why:
        return str(why)
    on = config.get_tactic_sources()
    return [name for name in ("EDGE_MASK", "JIT") if on >> int(getattr(trt.TacticSource, f"{name}_CONVOLUTIONS")) & 1]

print(json.dumps([after(value) for value in sys.argv[1:]]))
"""


def test_tactic_sources_are_set_and_one_that_the_version_lacks_needs_no_dropping(tmp_path: Path) -> None:
    """Here TensorRT-RTX, which has the two of convolutions."""
    values = ("-CUBLAS,-CUDNN", "-CUBLAS,-JIT_CONVOLUTIONS", "JIT_CONVOLUTIONS", "CUBLAS")
    done = bindings.rtx(tmp_path).run("-c", SOURCES, *values)
    *taken, refused = json.loads(done.stdout.splitlines()[-1])
    assert taken == [["EDGE_MASK", "JIT"], ["EDGE_MASK"], ["JIT"]]
    assert refused.endswith("has no tactic source CUBLAS")


ERROR = """
import sys, tensorrt as trt
from trtdebug.repro.scripts.trt_build import stderr_logger
logger = stderr_logger(trt) if sys.argv[1] == "the script's" else trt.Logger(trt.Logger.ERROR)
builder = trt.Builder(logger)
network = builder.create_network(0)
assert not trt.OnnxParser(network, logger).parse(b"no model")
"""


@pytest.mark.parametrize(("logger", "stream"), [("the script's", "stderr"), ("TensorRT's", "stdout")])
def test_what_tensorrt_says_leaves_stdout_to_the_result(logger: str, stream: str, tmp_path: Path) -> None:
    done = bindings.rtx(tmp_path).run("-c", ERROR, logger)
    assert [name for name in ("stdout", "stderr") if getattr(done, name)] == [stream]


def test_a_name_can_not_break_the_table() -> None:
    text = result.table(result.Result(result.GONE, "emulator", outputs=[result.Row("a\nb\x1b[2J", None)]))
    assert r"a\nb\x1b[2J" in text
    assert len(text.splitlines()) == 4


def test_the_json_is_strict_and_the_table_is_readable() -> None:
    rows = [result.Row("y", "nonfinite", math.inf, math.nan, 3, 8), result.Row("n" * 4000, None, elements=8)]
    found = result.Result(result.SHOWS, "emulator", "nonfinite", "", "onnxruntime 1", rows, ["a note"])
    data = json.loads(result.as_json(found), parse_constant=lambda name: 1 / 0)
    assert data["outputs"][0]["max_abs"] == "inf"
    text = result.table(found)
    assert "3/8" in text
    assert "the failure shows: nonfinite" in text
    assert max(map(len, text.splitlines())) < 110
