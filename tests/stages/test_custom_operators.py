"""A case whose model has custom operators: types, layers, search and repro, on the emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import diagnose, finding, open_case
from custom_models import CUBE, SWISH, cube_model, one_node, swish_model

from trtdebug.core.errors import UserError
from trtdebug.graph.types import TensorType
from trtdebug.repro.of_case import export_nodes
from trtdebug.stages.observing.table import layer_table

OVERFLOWING = ("[50,60]",)


@pytest.fixture
def case(tmp_path):
    """`case(model, operators file's text, ...)`"""

    def opened(model, text, precision="fp16", **request):
        (tmp_path / "ops.py").write_text(text)
        return open_case(model, tmp_path, precision, operators=[tmp_path / "ops.py"], **request)

    return opened


def test_types_behind_custom_operators_are_those_that_the_reference_recorded(case):
    ctx = case(swish_model(), SWISH, input_shapes=["x:[2,8]"])
    assert {ctx.types[t] for t in "bcd"} == {TensorType("float32", (2, 8))}
    assert ctx.types["a"] == TensorType("float32", ("N", 8))


def test_without_a_reference_they_stay_unknown(tmp_path):
    ctx = open_case(one_node(), tmp_path, "fp16")
    assert "a" in ctx.types
    assert "b" not in ctx.types
    with pytest.raises(UserError, match=r"no implementation of my\.ops::Foo .*--operators"):
        ctx.record()


def test_every_layer_is_compared_in_the_whole_and_by_itself(case):
    table = layer_table(case(swish_model(), SWISH))
    assert [(row.op, row.tensor) for row in table.rows] == [
        ("MatMul", "a"),
        ("Swish", "b"),
        ("Mul", "c"),
        ("Swish", "d"),
        ("Tanh", "y"),
    ]
    assert table.plain.status == "pass"
    assert all(0 < row.propagated.rms_rel < 1e-2 for row in table.rows)
    assert all(row.local is not None and 0 < row.local.rms_rel < 1e-3 for row in table.rows)


def test_the_custom_node_is_named_where_it_is_the_cause(case):
    diagnosis = diagnose(case(cube_model(), CUBE, ranges=OVERFLOWING))
    assert diagnosis.verdict == "diverges"
    assert "cube" in {n for c in diagnosis.culprits for n in c.nodes if c.proven}
    assert diagnosis.first_divergence.node == "cube"


def test_a_candidate_with_another_operator_is_found(case):
    """As of a plugin that computes something else: here the candidate's model has another beta in one of two nodes."""
    wrong = swish_model()
    wrong.graph.node[3].attribute.add(name="beta", f=0.5, type=1)
    ctx = case(swish_model(), SWISH, "fp32", against=wrong)
    diagnosis = diagnose(ctx)
    assert diagnosis.verdict == "diverges"
    assert diagnosis.first_divergence.node == "swish2"
    assert [c.nodes for c in diagnosis.culprits] == [("swish2",)]
    assert "is the first tensor to differ" in diagnosis.culprits[0].evidence


def test_the_emulator_says_that_it_says_nothing_of_a_plugin(case, tmp_path):
    from trtdebug.plugins.builtin import load_plugins
    from trtdebug.stages.opening.preflight import CaseRequest, prepare

    ctx = case(cube_model(), CUBE)
    request = CaseRequest(Path(ctx.case.model), ctx.case.options, operators=[tmp_path / "ops.py"])
    found = [
        f for f in prepare(request, load_plugins(third_party=False)).findings if f.id == "operator-emulated"
    ]
    assert len(found) == 1
    assert "it says nothing of a plugin" in found[0].message


def test_the_content_of_the_file_is_part_of_the_case(case):
    first = case(cube_model(), CUBE).case
    assert first == case(cube_model(), CUBE).case
    assert first != case(cube_model(), CUBE + "\n# another\n").case


def run_script(folder: Path, *words: str) -> tuple[int, dict]:
    done = subprocess.run(
        [sys.executable, folder / "repro.py", "--json", *words], capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout)


def test_a_unit_test_of_a_node_that_passes(case, tmp_path):
    ctx = case(swish_model(), SWISH)
    ctx.record()
    made = export_nodes(ctx, ["swish"], tmp_path / "unit", "", {})
    assert (made.verified, made.passes, made.nodes) == (True, True, 1)
    assert run_script(tmp_path / "unit")[0] == 0
    assert run_script(tmp_path / "unit", "--backend", "onnxruntime")[0] == 0
    operators = tmp_path / "unit" / "operators" / "000_ops.py"
    operators.write_text(SWISH.replace("-beta", "-2 * beta"))
    code, said = run_script(tmp_path / "unit")
    assert code == 125
    assert "is not what it was" in said["reason"]


def test_a_node_that_passes_is_not_written_where_only_failures_are_wanted(case, tmp_path):
    ctx = case(swish_model(), SWISH)
    ctx.record()
    made = export_nodes(ctx, ["swish"], tmp_path / "unit", "", {}, only_failing=True)
    assert not made.verified
    assert not (tmp_path / "unit").exists()


def test_a_repro_of_a_piece_with_a_custom_node_inside_fails_by_itself(case, tmp_path):
    ctx = case(cube_model(), CUBE, ranges=OVERFLOWING)
    ctx.record()
    made = export_nodes(ctx, ["cube", "log"], tmp_path / "repro", "", {})
    assert (made.verified, made.passes, made.nodes) == (True, False, 2)
    code, said = run_script(tmp_path / "repro")
    assert (code, said["signature"]) == (1, "nonfinite")
    expected = np.load(next((tmp_path / "repro" / "expected").iterdir()))
    assert np.isfinite(expected).all()


def test_what_the_function_does_wrong_is_what_the_case_says(case):
    diagnosis = diagnose(case(cube_model(), CUBE.replace("x * x * x", "x.astype(np.float64)")))
    assert diagnosis.verdict == "untestable"
    assert "the custom operator my.ops::Cube gives float64 for 'b' and reads float32" in diagnosis.reason
    assert finding(diagnosis, "custom-operator").node == "cube"
