"""What an exported folder holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from function_models import one_of_two
from polygraphy.json import load_json

from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import UserError
from trtdebug.repro.commands import polygraphy_command, trtexec_command, trtexec_typed_command
from trtdebug.repro.export import export
from trtdebug.repro.manifest import read_manifest, safe_name

CULPRITS = ("norm_pow", "norm_var", "norm_eps", "norm_sqrt")


def test_the_folder_holds_the_piece_its_data_and_how_to_run_it(layernorm, tmp_path: Path) -> None:
    repro = export(layernorm.spec(CULPRITS), tmp_path / "repro")
    assert repro.nodes == 4
    assert repro.path == tmp_path / "repro"
    files = {str(p.relative_to(repro.path)) for p in repro.path.rglob("*") if p.is_file()}
    assert files == {
        *("model.onnx", "emulated.onnx", "typed.onnx", "repro.json", "repro.py", "README.md"),
        *("bisect_tensorrt.py", "trtexec.sh", "polygraphy.sh", "outputs.json"),
        *("versions.json", "inputs.json", "inputs/000_norm_centre.npy", "inputs/000_norm_centre.bin"),
        "expected/000_norm_sqrt.npy",
    }
    piece = onnx.load(repro.path / "model.onnx")
    onnx.checker.check_model(piece, full_check=True)
    assert [node.name for node in piece.graph.node] == list(CULPRITS)
    assert piece.ir_version == onnx.load(layernorm.path).ir_version
    readme = (repro.path / "README.md").read_text(encoding="utf-8")
    assert all(name in readme for name in (*CULPRITS, "trtexec", "polygraphy run", "python repro.py"))
    assert not list(tmp_path.glob(".*"))


def test_the_data_are_the_recorded_ones(layernorm, tmp_path: Path) -> None:
    repro = export(layernorm.spec(CULPRITS), tmp_path / "repro")
    manifest = read_manifest(repro.path)
    recorded = np.load(layernorm.tensors["norm_centre"])
    (feed,) = manifest.inputs
    assert (feed.name, feed.shape, feed.dtype) == ("norm_centre", (8, 128), "float32")
    np.testing.assert_array_equal(np.load(repro.path / feed.file), recorded)
    np.testing.assert_array_equal(np.fromfile(repro.path / feed.raw, np.float32).reshape(8, 128), recorded)
    np.testing.assert_array_equal(load_json(str(repro.path / "inputs.json"))[0]["norm_centre"], recorded)
    (output,) = manifest.expected
    np.testing.assert_array_equal(np.load(repro.path / output.file), np.load(layernorm.tensors["norm_sqrt"]))


def test_no_name_leads_out_of_the_folder(odd_names, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    repro = export(odd_names.spec(odd_names.index.order), tmp_path / "repro")
    assert set(tmp_path.iterdir()) - before == {repro.path}
    manifest = read_manifest(repro.path)
    assert [tensor.name for tensor in manifest.inputs] == ["../../x:0"]
    assert [tensor.name for tensor in manifest.expected] == [".."]
    for tensor in (*manifest.inputs, *manifest.expected):
        assert (repro.path / tensor.file).resolve().is_relative_to(repro.path.resolve())


@pytest.mark.parametrize("name", ["..", "/", "a" * 4000, "层/0", "", "con\x00", ".hidden", "a\nb"])
def test_safe_names_are_plain_short_and_unique(name: str) -> None:
    first, second = safe_name(0, name), safe_name(1, name)
    assert first != second
    assert first.isascii()
    assert len(first) <= 44
    assert not set(first) & set("/\\:\x00\n.")


def test_integer_vectors_become_weights(record, tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[2, "n"] x) => (float[m] y)'
        "{ s = Shape(x) p = ReduceProd <keepdims=1> (s) q = Mul(x, x) y = Reshape(q, p) }"
    )
    for node in model.graph.node:
        node.name = node.output[0]
    recorded = record(model, {"x": np.full((2, 3), 300, np.float32)})
    repro = export(recorded.spec(["q", "y"]), tmp_path / "repro")
    piece = onnx.load(repro.path / "model.onnx")
    assert [value.name for value in piece.graph.input] == ["x"]
    assert [dim.dim_value for dim in piece.graph.input[0].type.tensor_type.shape.dim] == [2, 3]


def test_an_older_repro_is_replaced_and_other_folders_are_not(layernorm, tmp_path: Path) -> None:
    target = tmp_path / "repro"
    export(layernorm.spec(CULPRITS), target)
    export(layernorm.spec(["norm_pow"]), target)
    assert read_manifest(target).nodes == ("norm_pow",)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="is no repro"):
        export(layernorm.spec(CULPRITS), precious)
    assert (precious / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nodes": ("nowhere",)}, "nowhere"),
        ({"inputs": {}}, "norm_centre"),
        ({"expected": {}}, "norm_sqrt"),
        ({"pinned": ("fc1",)}, "fc1"),
        ({"inputs": {"norm_centre": Path("missing.npy")}}, "missing.npy"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_left(layernorm, tmp_path: Path, change, message) -> None:
    before = set(tmp_path.iterdir())
    with pytest.raises(UserError, match=message):
        export(replace(layernorm.spec(CULPRITS), **change), tmp_path / "repro")
    assert set(tmp_path.iterdir()) == before


def test_a_damaged_manifest_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no repro"):
        read_manifest(tmp_path)
    (tmp_path / "repro.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        read_manifest(tmp_path)
    (tmp_path / "repro.json").write_text(json.dumps({"nodes": 3}))
    with pytest.raises(UserError, match="damaged"):
        read_manifest(tmp_path)
    (tmp_path / "repro.json").write_text("[]")
    with pytest.raises(UserError, match="damaged: it holds list, not an object"):
        read_manifest(tmp_path)
    (tmp_path / "repro.json").write_text("{}")
    with pytest.raises(UserError, match=r"damaged: required field missing .* more"):
        read_manifest(tmp_path)
    with pytest.raises(UserError, match="is no repro"):
        read_manifest(tmp_path / "repro.json")


def test_the_command_lines_force_the_precision_and_keep_the_pins(layernorm, tmp_path: Path) -> None:
    options = BuildOptions(precision="fp16", tf32=False, optimization_level=0)
    spec = replace(layernorm.spec(CULPRITS), pinned=("norm_pow",), options=options)
    manifest = read_manifest(export(spec, tmp_path / "repro").path)
    trtexec = trtexec_command(manifest)
    for word in ("--fp16", "--precisionConstraints=obey", "*:fp16,norm_pow:fp32", "--noTF32"):
        assert word in trtexec
    assert "--loadInputs=norm_centre:inputs/000_norm_centre.bin" in trtexec
    assert "--onnx=typed.onnx" in trtexec_typed_command(manifest)
    polygraphy = polygraphy_command(manifest, CULPRITS, {"y": 2.0})
    assert "norm_pow:float32" in polygraphy
    assert "norm_var:float16" in polygraphy
    assert "--builder-optimization-level=0" in polygraphy
    assert "--check-error-stat=elemwise" in polygraphy
    assert "--atol=0.02" in polygraphy
    assert "--rtol=0 " in polygraphy
    two = polygraphy_command(manifest, CULPRITS, {"y": 2.0, "z:0": 4.0})
    assert "--atol \\\n    y:0.02 \\\n    z:0:0.04 \\\n" in two


@pytest.mark.parametrize(
    ("sources", "weak", "typed", "polygraphy"),
    [
        (
            "-CUBLAS,-CUBLAS_LT,-CUDNN",
            "--tacticSources=-CUBLAS,-CUBLAS_LT,-CUDNN",
            "",
            "--tactic-sources \\\n    EDGE_MASK_CONVOLUTIONS \\\n    JIT_CONVOLUTIONS",
        ),
        ("-JIT_CONVOLUTIONS", "--tacticSources=-JIT_CONVOLUTIONS", "--tacticSources=-JIT_CONVOLUTIONS", None),
    ],
)
def test_the_users_tactic_sources_are_said_or_that_they_cannot_be(
    layernorm, tmp_path: Path, sources, weak, typed, polygraphy
) -> None:
    options = BuildOptions(precision="fp16", tactic_sources=sources)
    folder = export(replace(layernorm.spec(CULPRITS), options=options), tmp_path / "repro").path
    manifest = read_manifest(folder)
    assert manifest.options.tactic_sources == sources
    assert weak in trtexec_command(manifest)
    told = trtexec_typed_command(manifest)
    assert typed in told
    assert bool(typed) == ("--tacticSources" in told)
    command = polygraphy_command(manifest, CULPRITS, {"y": 2.0})
    assert (command is None) == (polygraphy is None)
    assert polygraphy is None or polygraphy in command
    said = f"it has no\nway to say `{sources}` for all of them" in (folder / "README.md").read_text(
        encoding="utf-8"
    )
    assert said == (polygraphy is None)


def test_atol_and_rtol_are_taken_over(layernorm, tmp_path: Path) -> None:
    repro = export(replace(layernorm.spec(CULPRITS), atol=0.5, rtol=0.25), tmp_path / "repro")
    manifest = read_manifest(repro.path)
    assert (manifest.atol, manifest.rtol) == (0.5, 0.25)
    readme = (repro.path / "README.md").read_text(encoding="utf-8")
    assert "`|c - r| <= 0.5 + 0.25 * |r|` per element" in readme
    assert "--atol=0.5 \\\n    --rtol=0.25" in readme


def test_the_readme_tells_what_was_seen_and_promises_nothing(layernorm, tmp_path: Path) -> None:
    repro = export(layernorm.spec(CULPRITS), tmp_path / "repro")
    readme = (repro.path / "README.md").read_text(encoding="utf-8")
    assert "trtdebug saw this piece fail as nonfinite" in readme
    assert "run `repro.py` to see" in readme
    assert "wrong" not in readme.partition("## The nodes")[0]


def test_a_pin_that_trtexec_cannot_name_is_said(odd_names, tmp_path: Path) -> None:
    spec = replace(odd_names.spec(odd_names.index.order), pinned=("/block.0/平方,0",))
    repro = export(spec, tmp_path / "repro")
    assert trtexec_command(read_manifest(repro.path)) is None
    assert "trtexec has no way" in (repro.path / "README.md").read_text(encoding="utf-8")


def test_a_pin_whose_layers_have_other_names_is_said(recurrent, tmp_path: Path) -> None:
    """trtexec passes over names that it does not find: half of the pins would be none."""
    spec = replace(recurrent.spec(recurrent.index.order), pinned=("lstm",))
    repro = export(spec, tmp_path / "repro")
    assert trtexec_command(read_manifest(repro.path)) is None
    for file in ("README.md", "trtexec.sh"):
        assert "lstm is LSTM: the layers are those of its body" in (repro.path / file).read_text(
            encoding="utf-8"
        )


def test_what_functions_compute_is_low_in_every_model_of_the_folder(record, tmp_path: Path) -> None:
    """A strongly typed TensorRT would not see the failure of a call that stays in FP32."""
    model = one_of_two()
    recorded = record(model, {"x": np.full(4, 3, np.float32)})
    repro = export(recorded.spec(["bad"]), tmp_path / "repro")
    typed = onnx.shape_inference.infer_shapes(onnx.load(repro.path / "typed.onnx"), strict_mode=True)
    kinds = {v.name: v.type.tensor_type.elem_type for v in typed.graph.value_info}
    [product] = [n for n in typed.graph.node if n.op_type == "Mul"]
    assert kinds[product.output[0]] == onnx.TensorProto.FLOAT16
    assert read_manifest(repro.path).nodes == ("bad",)
    script = (repro.path / "polygraphy.sh").read_text()
    assert "--fp16" in script
    assert "--layer-precisions" not in script  # layers of a call have other names, and none would be an error
