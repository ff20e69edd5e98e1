"""Repros judge indices as the session does: another choice of values that are as good as equal is no failure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from contexts import context, plugins_with
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keeping_backend import KeepingBackend
from rewriting import model_of

from trtdebug.core.case import OutputTolerance, Tolerance
from trtdebug.core.diagnosis import ReproResult
from trtdebug.oracle.compare import compare as oracle_compare
from trtdebug.oracle.indices import judge_choice as oracle_judges
from trtdebug.oracle.tolerance import Limits
from trtdebug.plugins.builtin import load_plugins
from trtdebug.repro.anonymise import anonymise
from trtdebug.repro.manifest import read_manifest
from trtdebug.repro.of_case import export_nodes
from trtdebug.repro.scripts.choosing import judge_choice
from trtdebug.repro.scripts.comparing import compare
from trtdebug.stages.context import Context

NEAR = 1 - 1e-4 * np.random.default_rng(0).uniform(size=(8, 64))
"""Each row is one number in FP16, or two."""

SQUARES = "s = Mul(x, x) z = Add(s, eps) y = Div(x, z) i = ArgMax <axis = 1, keepdims = 0> (z) g = Neg(i)"
"""The epsilon vanishes in FP16, so that `y` is NaN where x is 0; `i` is another choice only."""

BEST = "v, i = TopK <axis = 1> (x, k)"

Exported = Callable[..., ReproResult]


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    """`exported(model, x, *nodes)`: their repro, written to `repro` in the folder of the test."""

    def export(model: onnx.ModelProto, x: np.ndarray, *nodes: str, **how: Any) -> ReproResult:
        ctx = context(tmp_path, model, "emulator", load_plugins(third_party=False), x=x)
        ctx.record()
        return export_nodes(ctx, nodes, tmp_path / "repro", "", {}, **how)

    return export


def squares(outputs: str) -> onnx.ModelProto:
    return model_of(SQUARES, [8, 64], {"eps": np.float32(1e-9)}, outputs=outputs)


def best(outputs: str = "float v, int64 i") -> onnx.ModelProto:
    return model_of(BEST, [8, 64], {"k": np.array([3])}, outputs=outputs)


def with_zero() -> np.ndarray:
    x = NEAR.copy()
    x[:, 5] = 0
    return x


def told(folder: Path, *words: str) -> dict[str, Any]:
    """What repro.py says in a process that knows nothing of trtdebug; `rows` by output."""
    command = [sys.executable, "-I", str(folder / "repro.py"), "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["exit"] == done.returncode
    return found | {"rows": {row["name"]: row for row in found["outputs"]}}


@pytest.mark.parametrize("outputs", ["float y, int64 i", "float y, int64 g"], ids=["an output", "within"])
def test_a_tie_beside_a_failure_is_none(outputs: str, exported: Exported, tmp_path: Path) -> None:
    """Whether the indices are an output of the model, or only of the piece."""
    made = exported(squares(outputs), with_zero(), *(f"node_of_{t}" for t in "zyi"))
    assert (made.verified, made.passes) == (True, False)
    assert read_manifest(tmp_path / "repro").signature.outputs == ("y",)
    found = told(tmp_path / "repro")
    assert {n: row["kind"] for n, row in found["rows"].items() if n in "yi"} == {"y": "nonfinite", "i": None}
    assert found["rows"]["i"]["note"] == "8 of 8 choices differ, between near-equal values"
    assert "`i` holds indices" in (tmp_path / "repro" / "README.md").read_text()


@pytest.mark.parametrize(
    ("x", "kind"),
    [(1e5 * NEAR, None), (np.random.default_rng(1).uniform(7e4, 3e5, (8, 64)), "mismatch")],
    ids=["near", "far apart"],
)
def test_the_best_of_what_overflows(
    x: np.ndarray, kind: str | None, exported: Exported, tmp_path: Path
) -> None:
    """The values that TopK gives are Inf, and all indices tie in FP16: it depends on what they stand for."""
    made = exported(best(), x, "node_of_v")
    assert (made.verified, made.passes) == (True, False)
    found = told(tmp_path / "repro")
    assert {n: row["kind"] for n, row in found["rows"].items()} == {"v": "nonfinite", "i": kind}


def test_wholly_ties_are_no_failure(exported: Exported, tmp_path: Path) -> None:
    model, nodes = squares("float y, int64 g"), ("node_of_s", "node_of_z", "node_of_i")
    made = exported(model, NEAR, *nodes, only_failing=True)
    assert (made.verified, made.untestable) == (False, False)
    assert made.note == "not written: the piece does not fail by itself: it passes"
    assert not (tmp_path / "repro").exists()


def test_wholly_ties_pass_in_a_unit_test(exported: Exported, tmp_path: Path) -> None:
    made = exported(squares("int64 i"), NEAR, "node_of_s", "node_of_z", "node_of_i")
    assert (made.verified, made.passes) == (True, True)
    assert told(tmp_path / "repro")["exit"] == 0


def test_values_within_the_piece_are_recorded_and_needed(exported: Exported, tmp_path: Path) -> None:
    exported(squares("float y, int64 i"), NEAR, *(f"node_of_{t}" for t in "zyi"))
    [choice] = read_manifest(tmp_path / "repro").choices
    assert (choice.output, choice.values.name, choice.values.file) == ("i", "z", "chosen-from/000_z.npy")
    (tmp_path / "repro" / choice.values.file).unlink()
    assert told(tmp_path / "repro")["reason"] == "chosen-from/000_z.npy is missing"


def test_nobody_knows_which_is_larger_up_to_twice_the_tolerance(exported: Exported, tmp_path: Path) -> None:
    exported(squares("int64 i"), NEAR, "node_of_z", "node_of_i")
    path = tmp_path / "repro" / "repro.json"
    manifest = json.loads(path.read_text())
    manifest["choices"][0]["limit"] = 1.1e-4  # squares of what is up to 1e-4 apart
    path.write_text(json.dumps(manifest))
    found = told(tmp_path / "repro")
    assert (found["exit"], found["rows"]["i"]["unsure"]) == (125, True)
    assert found["reason"] == "i: 8 of 8 choices differ, between near-equal values"


def test_what_another_tool_wrote_is_judged_likewise(exported: Exported, tmp_path: Path) -> None:
    exported(best("int64 i"), NEAR, "node_of_v")
    values = np.load(tmp_path / "repro" / "expected" / "000_v.npy")
    outputs = [("v", values), ("i", np.tile([0, 1, 2], (8, 1)))]
    written = [
        {"name": n, "dimensions": "x".join(map(str, v.shape)), "values": v.ravel().tolist()}
        for n, v in outputs
    ]
    (tmp_path / "made.json").write_text(json.dumps(written))
    assert told(tmp_path / "repro", "--outputs", str(tmp_path / "made.json"))["exit"] == 0


def test_anonymised_they_are_chosen_from_other_values(exported: Exported, tmp_path: Path) -> None:
    exported(squares("float y, int64 i"), with_zero(), *(f"node_of_{t}" for t in "szyi"))
    assert anonymise(tmp_path / "repro", tmp_path / "anonymous").reason == ""
    [choice] = read_manifest(tmp_path / "anonymous").choices
    x = np.load(next((tmp_path / "anonymous" / "inputs").glob("*.npy")))
    np.testing.assert_allclose(np.load(tmp_path / "anonymous" / choice.values.file), x * x, atol=1e-8)
    assert told(tmp_path / "anonymous")["signature"] in ("nonfinite", "mismatch")


def test_a_backend_of_an_extension_judges_likewise(tmp_path: Path) -> None:
    plugins = plugins_with(KeepingBackend())
    model = squares("float y, int64 i")
    ctx: Context = context(tmp_path, model, "keeping", plugins, x=NEAR)
    ctx.record()
    made = export_nodes(ctx, ("node_of_s", "node_of_z", "node_of_i"), tmp_path / "repro", "", {})
    assert (made.standalone, made.verified, made.passes) == (False, True, True)


def test_the_tolerance_is_that_of_the_values(tmp_path: Path) -> None:
    """The indices' own tolerance, by name, says nothing of the values, and theirs is another than that of the rest."""
    plugins = load_plugins(third_party=False)
    ctx = context(tmp_path, squares("float z, int64 i"), "emulator", plugins, x=NEAR)
    tight = Tolerance(outputs={"z": OutputTolerance(rms_rel=1e-6), "i": OutputTolerance(atol=0.0)})
    ctx = Context(ctx.session, replace(ctx.case, tolerance=tight), plugins)
    ctx.record()
    made = export_nodes(ctx, ("node_of_i",), tmp_path / "repro", "", {})
    [choice] = read_manifest(tmp_path / "repro").choices
    assert (choice.limit, choice.atol, choice.rtol) == (1e-6, None, None)
    assert (made.verified, made.passes) == (True, False)


CHOSEN = hnp.arrays(np.int64, (2, 2), elements=st.integers(-4, 4))


@given(
    reference=CHOSEN,
    candidate=CHOSEN,
    values=hnp.arrays(
        np.float32, (2, 4), elements=st.sampled_from([0.0, 1.0, 0.995, 0.985, -1.0, np.nan, np.inf])
    ),
    limits=st.sampled_from([Limits(1e-2), Limits(0.0), Limits(1e-2, atol=0.01, rtol=0.0)]),
)
def test_choices_are_judged_as_the_oracle_judges_them(
    reference: np.ndarray, candidate: np.ndarray, values: np.ndarray, limits: Limits
) -> None:
    reference %= 4
    rule = {"limit": limits.rms, "atol": limits.atol, "rtol": limits.rtol, "axis": 1, "keepdims": True}
    row = judge_choice(compare("i", reference, candidate, 1e-2), reference, candidate, values, rule)
    error = oracle_compare("i", reference, candidate, limits)
    error = oracle_judges(error, reference, candidate, values, 1, True, limits)
    assert (row.kind, row.unsure) == (error.kind, error.status == "untestable")
