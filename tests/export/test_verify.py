"""`trtdebug verify`: exit code 0 the fix holds, 1 it does not, 2 it does not fit, 4 not testable."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from in_process import Done, jobs_run_here, trtdebug
from onnx import numpy_helper

from trtdebug.core.diagnosis import BackendInfo, Fix
from trtdebug.core.intervention import PinPrecision, ReplaceGraph
from trtdebug.export.folder import export_fix
from trtdebug.export.manifest import read_manifest
from trtdebug.graph.load import content_sha256

PIN = PinPrecision(("norm_pow", "norm_var", "norm_eps", "norm_sqrt"))


def verify(*words: object) -> Done:
    with jobs_run_here():
        return trtdebug("verify", *words, "--quiet")


@pytest.fixture
def folder(fixed, tmp_path: Path) -> Path:
    """A copy of the sample's fix folder, to be changed."""
    return Path(shutil.copytree(fixed.folder, tmp_path / "fix"))


@pytest.fixture
def changed(layernorm, tmp_path: Path) -> Callable[..., Path]:
    """The sample with some weights scaled, and nodes renamed."""

    def save(scales: dict[str, float] | None = None, names: dict[str, str] | None = None) -> Path:
        model = onnx.ModelProto()
        model.CopyFrom(layernorm)
        for weight in model.graph.initializer:
            factor = (scales or {}).get(weight.name)
            if factor is not None:
                value = (numpy_helper.to_array(weight) * factor).astype(np.float32)
                weight.CopyFrom(numpy_helper.from_array(value, weight.name))
        for node in model.graph.node:
            node.name = (names or {}).get(node.name, node.name)
        path = tmp_path / "new.onnx"
        onnx.save(model, path)
        return path

    return save


def test_it_holds(folder: Path) -> None:
    done = verify(folder)
    assert done.code == 0
    assert "HOLDS: 1 of 1 builds agree with the recorded outputs, worst error 0." in done.stdout
    assert " of the tolerance\n" in done.stdout
    assert "no longer needed" not in done.stdout


def test_as_json(folder: Path) -> None:
    data = json.loads(verify(folder, "--json").stdout)
    assert (data["holds"], data["needed"], data["recorded"]) == (True, True, True)
    assert data["outputs"][0]["tensor"] == "logits"
    assert 0 < data["of_limit"] == data["outputs"][0]["of_limit"] < 1


def test_a_new_export_that_breaks_elsewhere(folder: Path, changed) -> None:
    model = changed({"fc4.weight": 1e6})
    done = verify(folder, "--model", model)
    assert done.code == 1
    assert "DOES NOT HOLD: build 1 of 1 does not agree with a new run of the reference" in done.stdout
    assert "logits" in done.stdout
    assert "of the tolerance" not in done.stdout


def test_a_new_export_with_the_same_flaw(folder: Path, changed) -> None:
    done = verify(folder, "--model", changed({"head.bias": 1.5}), "--json")
    data = json.loads(done.stdout)
    assert (done.code, data["recorded"], data["needed"]) == (0, False, True)


def test_a_reference_that_contradicts_itself_leaves_it_open(folder: Path, changed) -> None:
    """A new export that still trains: every run of it drops other values."""
    path = changed()
    model = onnx.load(path)
    last = model.graph.node[-1]
    reads = last.input[0]
    last.input[0] = "dropped"
    drop = onnx.helper.make_node("Dropout", [reads, "", "train"], ["dropped"], "drop")
    model.graph.node.insert(len(model.graph.node) - 1, drop)
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "train"))
    onnx.save(model, path)
    done = verify(folder, "--model", path)
    assert done.code == 4
    assert "UNTESTABLE: two runs of the reference differ: logits" in done.stdout
    assert "random operators" in done.stdout


def test_a_fix_that_is_needed_no_more(folder: Path, changed) -> None:
    done = verify(folder, "--model", changed({"fc2.weight": 1e-3, "fc2.bias": 1e-3}))
    assert done.code == 0
    assert "no longer needed: the model passes without the fix, too" in done.stdout


def test_renamed_nodes_are_named(folder: Path, changed) -> None:
    done = verify(folder, "--model", changed(names={"norm_var": "variance", "norm_eps": "epsilon"}))
    assert done.code == 2
    assert "the new export new.onnx has no node 'norm_var' (nor 1 more of the 4 pinned)" in done.stderr
    assert "trtdebug fix" in done.stderr


def test_another_operator_under_a_pinned_name_is_another_node(folder: Path, changed) -> None:
    done = verify(folder, "--model", changed(names={"norm_var": "norm_pow", "norm_pow": "norm_var"}))
    assert done.code == 2
    assert "which the fix pins, is ReduceMean in new.onnx, and was Pow" in done.stderr


def test_other_samples(folder: Path, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "inputs" / str(number)).mkdir(parents=True)
        x = np.random.default_rng(number).normal(size=(8, 64)).astype(np.float32)
        np.save(tmp_path / "inputs" / str(number) / "x.npy", x)
    done = verify(folder, "--inputs", tmp_path / "inputs")
    assert done.code == 0
    assert "a new run of the reference" in done.stdout
    np.save(tmp_path / "inputs" / "2" / "x.npy", np.full((8, 64), 1e30, np.float32))
    assert verify(folder, "--inputs", tmp_path / "inputs").code == 1
    one_by_one = [word for number in (2, 0) for word in ("--inputs", tmp_path / "inputs" / str(number))]
    assert verify(folder, *one_by_one).code == 1


def test_elsewhere_without_the_model(folder: Path, fixed) -> None:
    fix = json.loads((folder / "fix.json").read_text())
    fix["case"]["model"] = "/nowhere/model.onnx"
    (folder / "fix.json").write_text(json.dumps(fix))
    done = verify(folder)
    assert done.code == 2
    assert "/nowhere/model.onnx, is not here" in done.stderr
    there = verify(folder, "--model", fixed.model, "--json")
    assert there.code == 0
    assert json.loads(there.stdout)["recorded"]  # it is the same model


def test_changed_expectations_are_what_counts(folder: Path) -> None:
    [sample] = read_manifest(folder).samples
    path = folder / sample.expected[0].file
    np.save(path, np.load(path) + np.float32(1))
    assert verify(folder).code == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[:200], "is damaged"),
        (lambda t: t.replace('"kind": "PinPrecision"', '"kind": "Pin"'), "is damaged"),
        (lambda t: t.replace('"schema": 1', '"schema": 2'), "has schema 2"),
        (lambda t: t.replace('"tensors/', '"../../tensors/'), "lies outside of its folder"),
        (
            lambda t: t.replace('"typed": "mixed.onnx"', '"typed": "/etc/passwd"'),
            "lies outside of its folder",
        ),
        (lambda t: "[]", "is damaged"),
        (lambda t: t.replace('"precision": "fp16",', ""), "in which precision"),
        (
            lambda t: re.sub(
                r'"options": {.*?},\n    "reference"', '"options": [], "reference"', t, flags=re.S
            ),
            "options",
        ),
        (lambda t: t.replace('"rms_rel": null', '"rms_rel": NaN'), "tolerance"),
        (lambda t: t.replace('"atol": null', '"atol": -1'), "tolerance"),
        (lambda t: t.replace('"tf32": true', '"tf32": null'), "tf32"),
        (lambda t: t.replace('"calibration": null', r'"calibration": "a\u0000b"'), "no file is called"),
        (lambda t: t.replace('"candidate_model": null', r'"candidate_model": "\u0000"'), "no file is called"),
        (lambda t: t.replace('"calibration": null', f'"calibration": "{"n" * 300}"'), "File name too long"),
        (lambda t: t.replace('"model": "/', '"model": "\\ud800/'), "case.model"),
        (lambda t: t.replace("norm_pow", "nobody"), "has no node 'nobody'"),
    ],
)
def test_a_corrupt_manifest(folder: Path, change, message: str) -> None:
    path = folder / "fix.json"
    path.write_text(change(path.read_text()))
    done = verify(folder)
    assert (done.code, message in done.stderr) == (2, True), done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_damaged_tensors(folder: Path) -> None:
    [sample] = read_manifest(folder).samples
    (folder / sample.inputs[0].file).write_bytes(b"garbage")
    done = verify(folder)
    assert done.code == 2
    assert "can't be read: it is no .npy of numbers" in done.stderr


def test_no_fix_folder(tmp_path: Path) -> None:
    done = verify(tmp_path)
    assert done.code == 2
    assert "is no fix folder" in done.stderr


def test_untestable_where_the_backend_is_not(folder: Path) -> None:
    done = verify(folder, "--candidate", "tensorrt")
    assert done.code == 4
    assert "tensorrt does not work here" in done.stderr


def test_untestable_where_the_backend_cannot_do_it(folder: Path) -> None:
    fix = json.loads((folder / "fix.json").read_text())
    fix["interventions"] = [{"kind": "BanTactic", "layer": "a", "tactic": "0x1:0x1"}]
    (folder / "fix.json").write_text(json.dumps(fix))
    done = verify(folder)
    assert done.code == 4
    assert "UNTESTABLE: emulator cannot realise BanTactic" in done.stdout


def test_a_session_is_kept_where_one_is_named(folder: Path, tmp_path: Path) -> None:
    assert verify(folder, "--session", tmp_path / "session").code == 0
    assert list((tmp_path / "session" / "trials").iterdir())
    again = verify(folder, "--session", tmp_path / "session")  # its builds are those of another day
    assert again.code == 2
    assert "holds a session already" in again.stderr


def test_names_of_any_kind(fix_of, odd) -> None:
    fixed = fix_of(odd)
    done = verify(fixed.folder)
    assert done.code == 0, done.stderr
    assert "\x1b" not in done.stdout


def test_dynamic_shapes_and_a_profile(fix_of, layernorm, tmp_path: Path) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(layernorm)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    shapes = ("--min-shapes", "x:[1,64]", "--opt-shapes", "x:[4,64]", "--max-shapes", "x:[8,64]")
    fixed = fix_of(model, *shapes)
    manifest = read_manifest(fixed.folder)
    assert manifest.dynamic == ("x",)
    assert manifest.profiles["x"].max == (8, 64)
    assert (
        "--minShapes=x:1x64 --optShapes=x:4x64 --maxShapes=x:8x64"
        in (fixed.folder / "trtexec.txt").read_text()
    )
    assert verify(fixed.folder).code == 0
    np.savez(tmp_path / "large.npz", x=np.zeros((9, 64), np.float32))
    refused = verify(fixed.folder, "--inputs", tmp_path / "large.npz")
    assert refused.code == 2


def test_a_profile_of_an_input_whose_name_has_blanks_and_commas(fix_of, layernorm) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(layernorm)
    name = "the input, of x:0"
    model.graph.input[0].name = name
    for node in model.graph.node:
        node.input[:] = [name if t == "x" else t for t in node.input]
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    fixed = fix_of(model, "--min-shapes", f"{name}:[1,64]", "--max-shapes", f"{name}:[8,64]")
    assert read_manifest(fixed.folder).profiles[name].max == (8, 64)
    assert verify(fixed.folder).code == 0


def test_a_rewritten_model_is_what_is_built(fixed, changed, tmp_path: Path) -> None:
    """One that computes something else than the model does not hold; no other export can be asked about.

    The model itself may lie elsewhere: then --model says where."""
    rewritten = changed({"head.bias": 100.0})
    fix = Fix("rewrite", "r", (ReplaceGraph(str(rewritten), content_sha256(rewritten)), PIN), True, (1, 1))
    same = replace(fix, interventions=(ReplaceGraph(str(fixed.model), content_sha256(fixed.model)), PIN))
    with fixed.context() as ctx:
        export_fix(ctx, fix, tmp_path / "wrong", BackendInfo("emulator", "1"), {})
        export_fix(ctx, same, tmp_path / "right", BackendInfo("emulator", "1"), {})
    rewritten.unlink()
    assert verify(tmp_path / "right").code == 0
    assert verify(tmp_path / "wrong").code == 1
    refused = verify(tmp_path / "right", "--model", changed({"head.bias": 1.5}))
    assert refused.code == 2
    assert "the fix is a rewritten model" in refused.stderr
    shutil.copyfile(fixed.model, tmp_path / "elsewhere.onnx")
    there = verify(tmp_path / "right", "--model", tmp_path / "elsewhere.onnx", "--json")
    assert there.code == 0, there.stderr
    assert json.loads(there.stdout)["recorded"]


@pytest.fixture
def of_two_models(folder: Path, fixed, tmp_path: Path) -> Path:
    """A fix for a candidate with a model of its own, which since has got another name."""
    fix = json.loads((folder / "fix.json").read_text())
    fix["case"] |= {"candidate_model": "/nowhere/theirs.onnx", "candidate_sha256": fix["case"]["sha256"]}
    (folder / "fix.json").write_text(json.dumps(fix))
    shutil.copyfile(fixed.model, tmp_path / "renamed.onnx")
    return folder


def test_a_candidates_own_model_that_lies_elsewhere(of_two_models: Path, tmp_path: Path) -> None:
    lost = verify(of_two_models)
    assert (lost.code, lost.stderr.splitlines()) == (
        2,
        [
            "error: the candidate model of the fix, /nowhere/theirs.onnx, is not here.",
            "hint: Say where it lies: --candidate-model FILE.",
        ],
    )
    there = verify(of_two_models, "--candidate-model", tmp_path / "renamed.onnx", "--json")
    assert there.code == 0, there.stderr
    assert json.loads(there.stdout)["recorded"]
    nowhere = verify(of_two_models, "--candidate-model", tmp_path / "nobody.onnx")
    assert nowhere.code == 2
    assert "nobody.onnx" in nowhere.stderr.splitlines()[0]


def test_a_new_export_of_the_candidates_own_model(of_two_models: Path, changed) -> None:
    broken = verify(of_two_models, "--candidate-model", changed({"fc4.weight": 1e6}))
    assert broken.code == 1
    assert "does not agree with the recorded outputs" in broken.stdout
    renamed = verify(of_two_models, "--candidate-model", changed(names={"norm_var": "variance"}))
    assert (renamed.code, "has no node 'norm_var'" in renamed.stderr) == (2, True)
    other = verify(of_two_models, "--model", changed({"head.bias": 1.5}))
    assert (other.code, "hint: The candidate's is given by --candidate-model." in other.stderr) == (2, True)


def test_a_candidates_own_model_where_there_is_none(folder: Path, fixed) -> None:
    done = verify(folder, "--candidate-model", fixed.model)
    assert (done.code, done.stderr.splitlines()) == (
        2,
        [
            "error: the fix is for one model, the reference's and the candidate's.",
            "hint: Leave --candidate-model out; --model FILE takes another export.",
        ],
    )


def test_a_rewritten_model_says_nothing_of_another_candidate_model(fixed, changed, tmp_path: Path) -> None:
    fix = Fix(
        "rewrite", "r", (ReplaceGraph(str(fixed.model), content_sha256(fixed.model)), PIN), True, (1, 1)
    )
    with fixed.context() as ctx:
        ctx.case = replace(ctx.case, candidate_model=str(fixed.model), candidate_sha256=ctx.case.sha256)
        export_fix(ctx, fix, tmp_path / "fix", BackendInfo("emulator", "1"), {})
    assert verify(tmp_path / "fix", "--candidate-model", fixed.model).code == 0
    done = verify(tmp_path / "fix", "--candidate-model", changed({"head.bias": 1.5}))
    assert (done.code, "the fix is a rewritten model: it says nothing of" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "damage", ["expected value", "rewritten model", "no rewritten model", "candidate model", "builds"]
)
def test_what_is_damaged_is_no_verdict(fixed, tmp_path: Path, damage: str) -> None:
    fix = Fix(
        "rewrite", "r", (ReplaceGraph(str(fixed.model), content_sha256(fixed.model)), PIN), True, (1, 1)
    )
    with fixed.context() as ctx:
        export_fix(ctx, fix, tmp_path / "fix", BackendInfo("emulator", "1"), {})
    path = tmp_path / "fix" / "fix.json"
    told = json.loads(path.read_text())
    if damage == "expected value":
        told["samples"][0]["expected"] = []
    elif damage == "no rewritten model":
        (tmp_path / "fix" / "rewritten.onnx").unlink()
    elif damage == "candidate model":
        told["case"]["candidate_model"] = "/nowhere.onnx"
        told["interventions"] = told["interventions"][1:]
    elif damage == "builds":
        told["case"]["fix_builds"] = 0
    else:
        model = onnx.load(tmp_path / "fix" / "rewritten.onnx")
        model.graph.node[0].name += "_changed"
        onnx.save(model, tmp_path / "fix" / "rewritten.onnx")
    path.write_text(json.dumps(told))
    done = verify(tmp_path / "fix")
    assert done.code == 2
    assert (
        "expected value of 'logits'" in done.stderr
        or "is not the model" in done.stderr
        or "rewritten.onnx is not there" in done.stderr
        or "candidate model of the fix, /nowhere.onnx, is not here" in done.stderr
        or "a build" in done.stderr
    )


def test_a_reference_that_cannot_run_leaves_it_open(folder: Path, layernorm, tmp_path: Path) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(layernorm)
    model.graph.node[0].domain = "nobody.knows"
    model.opset_import.append(onnx.helper.make_opsetid("nobody.knows", 1))
    onnx.save(model, tmp_path / "new.onnx")
    done = verify(folder, "--model", tmp_path / "new.onnx", "--json")
    assert done.code == 4
    data = json.loads(done.stdout)
    assert data["holds"] is None
    assert "the reference onnxruntime cannot run new.onnx" in data["reason"]
