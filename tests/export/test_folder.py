"""What lies in a fix folder."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from function_models import one_of_two
from in_process import trtdebug

from trtdebug.backends.tensorrt.layer_flags import PinnedLayer
from trtdebug.core.diagnosis import BackendInfo, Fix
from trtdebug.core.errors import UserError
from trtdebug.core.intervention import (
    BanTactic,
    BreakFusion,
    Knob,
    MarkOutputs,
    PinPrecision,
    ReplaceGraph,
)
from trtdebug.core.jsonable import dumps, to_data
from trtdebug.export import folder as folder_module
from trtdebug.export.commands import trtexec_text
from trtdebug.export.folder import export_fix
from trtdebug.export.manifest import files_of, read_manifest
from trtdebug.export.readme import readme
from trtdebug.export.scripts.order import read_wanted
from trtdebug.graph.load import content_sha256

CULPRITS = ("norm_pow", "norm_var", "norm_eps", "norm_sqrt")
TRT = BackendInfo("tensorrt", "8.6.0", "NVIDIA H200")


def verified(*interventions) -> Fix:
    return Fix("pin", "a fix", interventions, True, (2, 2))


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_the_folder_is_complete_and_the_report_tells_of_it(fixed) -> None:
    manifest = read_manifest(fixed.folder)
    assert files(fixed.folder) == {
        "README.txt",
        "build.py",
        "fix.json",
        "mixed.onnx",
        "polygraphy_constraints.py",
        "trtexec.txt",
        *(t.file for s in manifest.samples for t in (*s.inputs, *s.expected)),
    }
    assert set(files_of(manifest)) <= files(fixed.folder)
    assert fixed.report["fix_folder"] == str(fixed.folder)
    assert f"trtdebug verify {fixed.folder}" in fixed.done.stdout
    readme = (fixed.folder / "README.txt").read_text()
    assert all(
        word in readme for word in (*CULPRITS, "python build.py", "polygraphy convert", "trtdebug verify")
    )


def test_interventions_come_back_as_they_were(fixed) -> None:
    manifest = read_manifest(fixed.folder)
    assert manifest.interventions == (PinPrecision(CULPRITS, "fp32"),)
    told = [to_data(i) | {"kind": type(i).__name__} for i in manifest.interventions]
    assert json.loads(json.dumps(told)) == fixed.report["fixes"][-1]["interventions"]
    assert manifest.case.sha256 == content_sha256(fixed.model)
    assert manifest.operators == dict(zip(CULPRITS, ("Pow", "ReduceMean", "Add", "Sqrt"), strict=True))
    assert manifest.calls == ()


def test_inputs_and_expected_outputs_are_the_references(fixed) -> None:
    [sample] = read_manifest(fixed.folder).samples
    feeds = {t.name: np.load(fixed.folder / t.file) for t in sample.inputs}
    session = onnxruntime.InferenceSession(str(fixed.model), providers=["CPUExecutionProvider"])
    for tensor in sample.expected:
        assert np.allclose(
            np.load(fixed.folder / tensor.file), session.run([tensor.name], feeds)[0], atol=1e-5
        )


def test_the_mixed_model_has_the_pins_in_fp32_and_the_rest_in_fp16(fixed) -> None:
    path = fixed.folder / "mixed.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    types = {v.name: v.type.tensor_type.elem_type for v in (*model.graph.value_info, *model.graph.output)}
    by_node = {n.name: types[n.output[0]] for n in model.graph.node}
    assert {by_node[n] for n in CULPRITS} == {onnx.TensorProto.FLOAT}
    assert {by_node[n] for n in ("fc1", "fc2", "norm_div", "fc3")} == {onnx.TensorProto.FLOAT16}
    [sample] = read_manifest(fixed.folder).samples
    feeds = {t.name: np.load(fixed.folder / t.file) for t in sample.inputs}
    expected = np.load(fixed.folder / sample.expected[0].file)
    got = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, feeds)[0]
    assert np.linalg.norm(got - expected) < 1e-2 * np.linalg.norm(expected)


def test_a_model_that_matches_leaves_no_folder(fix_of, layernorm) -> None:
    done = fix_of(layernorm, "--rms", "1e9", "--atol", "1e9", "--val-range", "[0,1e-3]")
    assert not done.folder.exists()
    assert done.report["fix_folder"] is None


def test_an_unverified_fix_is_not_exported(fixed, tmp_path: Path) -> None:
    fix = replace(verified(PinPrecision(CULPRITS)), verified=False)
    with fixed.context() as ctx, pytest.raises(ValueError, match="not verified"):
        export_fix(ctx, fix, tmp_path / "fix", TRT, {})
    assert not (tmp_path / "fix").exists()


def test_names_of_any_kind_stay_data(fix_of, odd) -> None:
    fixed = fix_of(odd)
    manifest = read_manifest(fixed.folder)
    assert set(manifest.pins) == {n.name for n in odd.graph.node} & set(manifest.operators)
    assert len(manifest.pins) == 4
    assert sorted(fixed.session.parent.iterdir()) == [fixed.model, fixed.session]
    for script in ("build.py", "polygraphy_constraints.py"):
        text = (fixed.folder / script).read_text(encoding="utf-8")
        compile(text, script, "exec")
        assert not any(name in text for name in manifest.pins)
    for name in ("README.txt", "trtexec.txt"):
        text = (fixed.folder / name).read_text(encoding="utf-8")
        assert "\x1b" not in text
    trtexec = (fixed.folder / "trtexec.txt").read_text(encoding="utf-8")
    assert "has no\n# way to write" in trtexec
    assert "trtexec --onnx=mixed.onnx" in trtexec  # there the names do not matter
    loose = [line for line in trtexec.splitlines() if line and not line.startswith("#")]
    assert len(loose) == 1


def test_layers_and_tactics_of_the_verified_build_come_along(fixed, tmp_path: Path) -> None:
    """As a session on TensorRT leaves them."""
    fix = verified(PinPrecision(CULPRITS), BanTactic("fc1 + relu", "0x80000009:0x0000000000000001"))
    with fixed.context() as ctx:
        job = ctx.candidate_job("verify fix", fix.interventions)
        trial = ctx.session.trial_folder(job.sha256)
        trial.mkdir()
        (trial / "trial.json").write_text(dumps(job))
        (trial / "outcome.json").write_text('{"status": "pass"}')
        (trial / "tactics.json").write_text("{}")
        layers = [{"name": "norm_pow_3", "dtype": "fp32", "outputs": 1}]
        (trial / "pinned-layers.json").write_text(json.dumps(layers))
        manifest = export_fix(ctx, fix, tmp_path / "fix", TRT, {})
        (trial / "outcome.json").write_text('{"status": "fail"}')
        without = export_fix(ctx, fix, tmp_path / "fix", TRT, {})
    assert [x.name for x in manifest.layers] == ["norm_pow_3"]
    assert (manifest.tactics, manifest.timing_cache) == ("tactics.json", None)
    assert (without.layers, without.tactics) == ((), None)
    assert "tactics.json" not in files(tmp_path / "fix")  # the old folder was replaced as a whole
    assert "no flag for tactics" in (tmp_path / "fix" / "trtexec.txt").read_text()


def test_exact_layer_names_go_into_the_flags(fixed, tmp_path: Path) -> None:
    fix = verified(PinPrecision(CULPRITS[:1]))
    with fixed.context() as ctx:
        job = ctx.candidate_job("verify fix", fix.interventions)
        trial = ctx.session.trial_folder(job.sha256)
        trial.mkdir()
        (trial / "trial.json").write_text(dumps(job))
        (trial / "outcome.json").write_text('{"status": "pass"}')
        layers = [{"name": n, "dtype": "fp32", "outputs": 1} for n in ("norm_pow", "norm_pow_3")]
        (trial / "pinned-layers.json").write_text(json.dumps(layers))
        export_fix(ctx, fix, tmp_path / "fix", TRT, {})
    text = (tmp_path / "fix" / "trtexec.txt").read_text()
    assert "--layerPrecisions=norm_pow:fp32,norm_pow_3:fp32 " in text
    assert "names of the ONNX nodes" not in text
    assert "found with tensorrt 8.6.0" in (tmp_path / "fix" / "build.py").read_text().splitlines()[0]


def test_trtexecs_flags_are_the_pins(fixed) -> None:
    pins = ",".join(f"{n}:fp32" for i in fixed.fix["interventions"] for n in i["nodes"])
    [weak, _] = [
        x for x in (fixed.folder / "trtexec.txt").read_text().splitlines() if x.startswith("trtexec")
    ]
    assert f"--precisionConstraints=obey --layerPrecisions={pins} --layerOutputTypes={pins}" in weak


@pytest.mark.parametrize("operator", ["If", "Loop", "Scan", "LSTM", "GRU", "RNN", "CumSum"])
def test_trtexec_has_no_name_for_what_is_pinned_with_its_body(fixed, operator: str) -> None:
    """It would pass over the name of a Loop without a word, and build without the fix."""
    manifest = read_manifest(fixed.folder)
    loop = replace(manifest, operators=dict.fromkeys(manifest.operators, operator))
    why = f"norm_pow is {operator}: the layers are those of its body, and can't be pinned"
    assert f"# none: {why}. See below.\n" in trtexec_text(loop)
    assert "\ntrtexec --onnx=mixed.onnx " in trtexec_text(loop)  # there it is a matter of Casts
    known = replace(loop, layers=(PinnedLayer("inner", "fp32"),))
    assert "--layerPrecisions=inner:fp32" in trtexec_text(known)


def test_trtexec_has_no_name_for_the_call_of_a_function(fix_of) -> None:
    """The parser gives the layers of a function's nodes these nodes' names."""
    fixed = fix_of(one_of_two(), "--val-range", "[2,3]")
    manifest = read_manifest(fixed.folder)
    assert (manifest.operators, manifest.calls) == ({"bad": "Scaled"}, ("bad",))
    why = "bad calls the function Scaled: the layers are those of its nodes"
    assert f"# none: {why}. See below.\n" in (fixed.folder / "trtexec.txt").read_text()
    assert "apply:" not in fixed.done.stdout


def test_a_rewritten_model_lies_in_the_folder(fixed, layernorm, tmp_path: Path) -> None:
    rewritten = tmp_path / "rewritten elsewhere.onnx"
    onnx.save(layernorm, rewritten)
    fix = verified(ReplaceGraph(str(rewritten), content_sha256(rewritten)))
    with fixed.context() as ctx:
        manifest = export_fix(ctx, fix, tmp_path / "fix", TRT, {})
    rewritten.unlink()
    [graph] = read_manifest(tmp_path / "fix").in_folder(tmp_path / "fix")
    assert isinstance(graph, ReplaceGraph)
    assert Path(graph.model).parent == tmp_path / "fix"
    assert content_sha256(Path(graph.model)) == graph.sha256
    assert manifest.model == "rewritten.onnx"


def test_what_strong_typing_cannot_have_is_said(fixed, tmp_path: Path) -> None:
    fix = verified(Knob("strong_typing", "off"))
    with fixed.context() as ctx:
        manifest = export_fix(ctx, fix, tmp_path / "fix", TRT, {})
    assert manifest.typed is None
    assert "only strongly typed" in manifest.typed_reason
    assert "none: TensorRT 11" in (tmp_path / "fix" / "trtexec.txt").read_text()


def test_a_model_that_no_cast_can_lower_is_no_mixed_model(fix_of, layernorm) -> None:
    """FP64 throughout: with its precisions "written in" it would be the model as it is."""
    model = onnx.ModelProto()
    model.CopyFrom(layernorm)
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT:
            value = onnx.numpy_helper.to_array(weight).astype(np.float64)
            weight.CopyFrom(onnx.numpy_helper.from_array(value, weight.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    folder = fix_of(model).folder
    manifest = read_manifest(folder)
    assert manifest.typed is None
    assert "no node of the model can be put into fp16" in manifest.typed_reason
    assert "mixed.onnx" not in files(folder)


def test_nodes_that_the_mixed_model_has_in_fp32_are_listed(fixed) -> None:
    told = readme(
        replace(read_manifest(fixed.folder), unlowered={"conv\n": "ONNX has no bf16 for Conv in opset 16"})
    )
    assert (
        "Not pinned, and in higher precision in mixed.onnx all the same\n\n    conv\\n: ONNX has no" in told
    )
    assert "Not pinned" not in (fixed.folder / "README.txt").read_text()


def test_marks_are_outputs_of_the_mixed_model(fixed, tmp_path: Path) -> None:
    with fixed.context() as ctx:
        export_fix(ctx, verified(MarkOutputs(("norm_pow",))), tmp_path / "fix", TRT, {})
    model = onnx.load(tmp_path / "fix" / "mixed.onnx")
    assert {o.name for o in model.graph.output} == {"logits", "norm_pow"}


def test_large_samples_stay_out(fixed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "_SAMPLE_BYTES", 10)
    monkeypatch.setattr(folder_module, "_MODEL_BYTES", 10)
    with fixed.context() as ctx:
        manifest = export_fix(ctx, verified(PinPrecision(CULPRITS)), tmp_path / "fix", TRT, {})
    assert (manifest.samples, manifest.typed) == ((), None)
    assert not (tmp_path / "fix" / "tensors").exists()
    assert "1 of 1 samples are not here" in (tmp_path / "fix" / "README.txt").read_text()


def test_duplicate_node_names_bring_a_model_of_its_own(fix_of, layernorm, tmp_path: Path) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(layernorm)
    for node in model.graph.node:
        if node.name in ("norm_pow", "norm_var"):
            node.name = "twin"
    fixed = fix_of(model)
    manifest = read_manifest(fixed.folder)
    assert manifest.model == "model.onnx"
    names = [n.name for n in onnx.load(fixed.folder / "model.onnx").graph.node]
    assert {"twin", "twin_1"} <= set(manifest.pins) & set(names)


def test_other_folders_are_left_alone(fixed, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").write_text("")
    with fixed.context() as ctx, pytest.raises(UserError, match="is no fix folder"):
        export_fix(ctx, verified(PinPrecision(CULPRITS)), tmp_path / "mine", TRT, {})
    assert files(tmp_path / "mine") == {"precious"}


def test_a_folder_that_no_fix_can_take_the_place_of_is_told_before_the_search(
    fixed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").write_text("")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for output, said in [
        ("../mine", "../mine exists and is no fix folder."),
        (".", ". is the folder that you are in, and would be replaced."),
        (tmp_path, f"{tmp_path} is the folder that you are in, and would be replaced."),
    ]:
        done = trtdebug("fix", fixed.model, "--candidate", "emulator", "--fp16", "--output", output)
        assert (done.code, done.stderr.splitlines()[0]) == (2, f"error: {said}")
    assert files(tmp_path) == {"mine/precious"}


def test_the_output_option_says_where(fix_of, layernorm, tmp_path: Path) -> None:
    fixed = fix_of(layernorm, "--output", tmp_path / "deep" / "fix")
    assert fixed.report["fix_folder"] == str(tmp_path / "deep" / "fix")
    assert not fixed.folder.exists()
    assert "fix.json" in files(tmp_path / "deep" / "fix")
    (tmp_path / "file").write_text("")
    refused = fix_of(layernorm, "--output", tmp_path / "file" / "fix")
    assert refused.done.code == 2
    assert not refused.session.exists()


def test_the_scripts_run_without_trtdebug(fixed) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _ALONE, str(fixed.folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[]"]


_ALONE = """
import runpy, sys
for name in ("build.py", "polygraphy_constraints.py"):
    runpy.run_path(f"{sys.argv[1]}/{name}")
print([m for m in sys.modules if m.partition(".")[0] in ("trtdebug", "polygraphy", "onnx", "numpy")])
"""


def test_neutral_nodes_are_exported_as_they_were_built(fixed, tmp_path: Path) -> None:
    """Not as extra outputs, which no build was verified with; unless those were what was built."""
    fix = verified(BreakFusion("norm_pow"))
    relaxed = replace(fix, note="relaxed: norm_pow made extra outputs, for by neutral nodes: no kernel")
    with fixed.context() as ctx:
        manifest = export_fix(ctx, fix, tmp_path / "fix", TRT, {})
        outputs = export_fix(ctx, relaxed, tmp_path / "outputs", TRT, {})
    assert (manifest.model, manifest.apart, manifest.interventions) == ("model.onnx", True, fix.interventions)
    for name in ("model.onnx", "mixed.onnx"):
        model = onnx.load(tmp_path / "fix" / name)
        assert "ScatterND" in {n.op_type for n in model.graph.node}, name
        assert [o.name for o in model.graph.output] == ["logits"]
    told = json.loads((tmp_path / "fix" / "fix.json").read_text())
    assert read_wanted(told["interventions"], told["apart"]).marks == ()
    assert "trtexec --onnx=model.onnx" in (tmp_path / "fix" / "trtexec.txt").read_text()
    assert (outputs.model, outputs.apart) == (None, False)
    assert {o.name for o in onnx.load(tmp_path / "outputs" / "mixed.onnx").graph.output} == {
        "logits",
        "norm_pow",
    }


def test_outputs_that_the_user_marks_are_in_the_fix(fixed, tmp_path: Path) -> None:
    """It was verified with them."""
    with fixed.context() as ctx:
        ctx.case = replace(ctx.case, options=replace(ctx.case.options, marks=("norm_var",)))
        manifest = export_fix(ctx, verified(PinPrecision(CULPRITS)), tmp_path / "fix", TRT, {})
    assert manifest.interventions == (MarkOutputs(("norm_var",)), PinPrecision(CULPRITS))


def test_command_lines_have_the_users_tactic_sources_before_those_of_the_fix(fixed, tmp_path: Path) -> None:
    own = "-CUBLAS,-CUBLAS_LT,-CUDNN"
    with fixed.context() as ctx:
        ctx.case = replace(ctx.case, options=replace(ctx.case.options, tactic_sources=own))
        fix = verified(Knob("tactic_sources", "-JIT_CONVOLUTIONS"))
        export_fix(ctx, fix, tmp_path / "fix", TRT, {})
    weak, _, strong = (tmp_path / "fix" / "trtexec.txt").read_text().partition("# TensorRT 11")
    assert f"--tacticSources={own},-JIT_CONVOLUTIONS" in weak
    assert f"# On 9 and 10 with --tacticSources={own},-JIT_CONVOLUTIONS.\n" in strong
    assert "--tacticSources=-JIT_CONVOLUTIONS" in strong.splitlines()[-1]  # 11 has no others
    assert "--tactic-sources EDGE_MASK_CONVOLUTIONS" in (tmp_path / "fix" / "README.txt").read_text()


@pytest.mark.parametrize(
    ("knobs", "trtexec", "polygraphy"),
    [
        ((Knob("tf32", "off"),), "--noTF32", "--fp16"),
        ((Knob("workspace", str(1 << 25)),), "--memPoolSize=workspace:32", "--pool-limit=workspace:33554432"),
        (
            (Knob("optimization_level", "1"),),
            "--builderOptimizationLevel=1",
            "--builder-optimization-level=1",
        ),
        (
            (Knob("tactic_sources", "-CUDNN"), Knob("tactic_sources", "-CUBLAS")),
            "--tacticSources=-CUDNN,-CUBLAS",
            "none, the tactic sources",
        ),
        ((Knob("strict_nans", "on"),), "none: the knob strict_nans", "none, the knob strict_nans"),
    ],
)
def test_command_lines_say_the_knobs_or_are_none(fixed, tmp_path: Path, knobs, trtexec, polygraphy) -> None:
    """One that leaves a knob out builds another engine than the one that was verified."""
    with fixed.context() as ctx:
        export_fix(ctx, verified(*knobs), tmp_path / "fix", TRT, {})
    weak = (tmp_path / "fix" / "trtexec.txt").read_text().partition("# TensorRT 11")[0]
    assert trtexec in weak
    readme = (tmp_path / "fix" / "README.txt").read_text().splitlines()
    [line] = [x for x in readme if x.strip().startswith("polygraphy") and "trt-network" not in x]
    assert polygraphy in line
    assert "--tf32" not in line or knobs != (Knob("tf32", "off"),)
