"""Fix folders on real TensorRT: what they build has the fix in it, by each of the ways they offer."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from trtdebug.backends.tensorrt import compat

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
CASES = ("attn", "magika")
TOLERANCE = 1e-2


@dataclass(frozen=True)
class Fixed:
    """A finished `trtdebug fix` and its folder."""

    model: Path
    session: Path
    words: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return self.session / "fix"

    @property
    def fix(self) -> dict[str, Any]:
        return json.loads((self.folder / "fix.json").read_text(encoding="utf-8"))

    @property
    def pins(self) -> set[str]:
        return {n for i in self.fix["interventions"] for n in i.get("nodes", ())}


def run(*words: object, cwd: Path | None = None, isolated: bool = False) -> subprocess.CompletedProcess[str]:
    """A process of this Python; `isolated`: nothing of this project can be imported in it."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("TRTDEBUG_")}
    if isolated:
        paths = [p for p in variables.get("PYTHONPATH", "").split(os.pathsep) if p and Path(p) != ROOT]
        variables["PYTHONPATH"] = os.pathsep.join(paths)
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=variables,
    )


def trtdebug(*words: object) -> subprocess.CompletedProcess[str]:
    return run("-m", "trtdebug", *words, "--quiet")


@pytest.fixture(scope="module")
def fixed(
    tmp_path_factory: pytest.TempPathFactory, model_path: Callable[[str], Path]
) -> Callable[[str], Fixed]:
    """`fixed("attn")`: runs `trtdebug fix` once a model."""
    known: dict[str, Fixed] = {}

    def find(name: str) -> Fixed:
        if name in known:
            return known[name]
        folder = tmp_path_factory.mktemp(name)
        words: tuple[str, ...] = ("--fp16",)
        if name == "attn":
            model = folder / "attn.onnx"
            subprocess.run([sys.executable, ROOT / "samples" / "attention.py", model], check=True)
        else:
            model = model_path("magika_standard_v3_3.onnx")
            words += ("--input-shapes", "bytes:[4,2048]")
        done = trtdebug("fix", model, *words, "--builds", 1, "--session", folder / "session")
        assert done.returncode == 1, done.stderr
        known[name] = Fixed(model, folder / "session", words)
        print(name, sorted(known[name].pins), (known[name].folder / "trtexec.txt").read_text())
        return known[name]

    return find


@pytest.fixture(scope="module")
def engine(fixed: Callable[[str], Fixed], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The engine that build.py makes, in a process in which trtdebug cannot be imported."""
    known: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in known:
            folder = tmp_path_factory.mktemp(f"{name}-engine")
            shutil.copytree(fixed(name).folder, folder / "fix")
            alone = f"import sys, runpy; sys.argv = ['build.py', '-o', {str(folder / 'm.engine')!r}]"
            alone += f"\ntry: runpy.run_path({str(folder / 'fix' / 'build.py')!r}, run_name='__main__')"
            alone += "\nexcept SystemExit as stop: code = stop.code or 0"
            alone += "\nassert not {'trtdebug', 'polygraphy', 'onnx'} & set(sys.modules), 'it is imported'"
            alone += "\nsys.exit(code)"
            done = run("-c", alone, cwd=folder, isolated=True)
            print(done.stdout, done.stderr)
            assert done.returncode == 0, done.stderr
            told = {line for line in done.stdout.splitlines() if line.startswith("pinned: ")}
            assert len(told) >= len(fixed(name).pins) - done.stdout.count("has no layer")
            known[name] = folder / "m.engine"
        return known[name]

    return make


RUNNER = """
import sys
import numpy as np
from polygraphy.backend.common import bytes_from_path
from polygraphy.backend.trt import TrtRunner, engine_from_bytes
with TrtRunner(engine_from_bytes(bytes_from_path(sys.argv[1]))) as runner:
    np.savez(sys.argv[3], *runner.infer(dict(np.load(sys.argv[2]))).values())
"""


def error(fixed: Fixed, engine: Path, folder: Path) -> float:
    """Largest relative RMS error of the engine's outputs, run by Polygraphy's own runner, against the recorded."""
    [sample] = fixed.fix["samples"]
    feeds = {t["name"]: np.load(fixed.folder / t["file"]) for t in sample["inputs"]}
    expected = [np.load(fixed.folder / t["file"]) for t in sample["expected"]]
    narrow = {n: v.astype(np.int32) if v.dtype == np.int64 else v for n, v in feeds.items()}
    np.savez(folder / "feeds.npz", **(feeds if compat.has("NATIVE_INT64") else narrow))
    done = run("-c", RUNNER, engine, folder / "feeds.npz", folder / "outputs.npz")
    assert done.returncode == 0, done.stderr
    with np.load(folder / "outputs.npz") as outputs:
        got = [outputs[name] for name in outputs.files]
    found = [float(np.linalg.norm(g - e) / np.linalg.norm(e)) for g, e in zip(got, expected, strict=False)]
    print(found)
    return max(found)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CASES)
def test_the_script_builds_an_engine_that_passes(name: str, fixed, engine, tmp_path: Path) -> None:
    assert error(fixed(name), engine(name), tmp_path) < TOLERANCE
    done = trtdebug(
        "compare",
        fixed(name).model,
        *fixed(name).words,
        "--engine",
        engine(name),
        "--session",
        tmp_path / "session",
    )
    assert done.returncode == 0, done.stdout + done.stderr


BY_NAMES = """
import json, sys
import tensorrt as trt
layers, model, shapes, target = json.loads(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
logger = trt.Logger(trt.Logger.ERROR)
trt.init_libnvinfer_plugins(logger, "")
builder = trt.Builder(logger)
network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
parser = trt.OnnxParser(network, logger)
assert parser.parse_from_file(model)
config = builder.create_builder_config()
config.set_flag(trt.BuilderFlag.FP16)
config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
profile = builder.create_optimization_profile()
for name, (low, opt, high) in shapes.items():
    profile.set_shape(name, low, opt, high)
if shapes:
    config.add_optimization_profile(profile)
found = set()
for index in range(network.num_layers):
    layer = network.get_layer(index)
    if layer.name in layers:
        found.add(layer.name)
        layer.precision = trt.float32
        for output, kind in enumerate(layers[layer.name]):
            assert kind == "fp32"
            layer.set_output_type(output, trt.float32)
assert found == set(layers), set(layers) - found
open(target, "wb").write(builder.build_serialized_network(network, config))
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("source", ["trtexec.txt", "build.py --trtexec"])
def test_trtexecs_flags_name_layers_that_carry_the_fix(name: str, source: str, fixed, tmp_path: Path) -> None:
    """trtexec itself is not in the pip wheel: what its flags name is pinned by the Python API, as trtexec does it."""
    if not compat.has("LAYER_PRECISION"):
        pytest.skip("this TensorRT takes precisions from the model")
    if source == "trtexec.txt":
        text = (fixed(name).folder / source).read_text()
        assert "names of the ONNX nodes" not in text  # they are those of this TensorRT's layers
        line = next(x for x in text.splitlines() if x.startswith("trtexec"))
    else:
        done = run(fixed(name).folder / "build.py", "--trtexec", isolated=True)
        assert done.returncode == 0, done.stderr
        line = done.stdout
    flags = dict(w.split("=", 1) for w in shlex.split(line) if "=" in w)
    precisions = read_back(flags["--layerPrecisions"])
    types = {layer: told.split("+") for layer, told in read_back(flags["--layerOutputTypes"]).items()}
    assert flags["--precisionConstraints"] == "obey"
    assert set(precisions.values()) == {"fp32"}
    assert precisions.keys() == types.keys()
    fix = fixed(name).fix
    shapes = {n: [fix["profiles"][n][k] for k in ("min", "opt", "max")] for n in fix["dynamic"]}
    target = tmp_path / "m.engine"
    done = run("-c", BY_NAMES, json.dumps(types), fixed(name).model, json.dumps(shapes), target)
    assert done.returncode == 0, done.stderr
    assert error(fixed(name), target, tmp_path) < TOLERANCE


def test_a_pin_without_a_layer_is_told_beside_trtexecs_flags(fixed, tmp_path: Path) -> None:
    if not compat.has("LAYER_PRECISION"):
        pytest.skip("this TensorRT takes precisions from the model")
    folder = Path(shutil.copytree(fixed("magika").folder, tmp_path / "fix"))
    plain = run(folder / "build.py", "--trtexec", isolated=True)
    shape = next(n.name for n in onnx.load(fixed("magika").model).graph.node if n.op_type == "Shape")
    fix = json.loads((folder / "fix.json").read_text())
    fix["interventions"].append({"kind": "PinPrecision", "nodes": [shape], "dtype": "fp32"})
    (folder / "fix.json").write_text(json.dumps(fix))
    done = run(folder / "build.py", "--trtexec", isolated=True)
    assert (done.returncode, done.stdout) == (0, plain.stdout)
    assert shape in done.stderr
    assert shape not in plain.stderr


def read_back(entries: str) -> Mapping[str, str]:
    """As trtexec reads them: split at commas, then at the last colon."""
    return {name: told for name, _, told in (entry.rpartition(":") for entry in entries.split(","))}


@pytest.mark.timeout(600)
def test_polygraphy_builds_with_the_constraints_script(fixed, tmp_path: Path) -> None:
    if not compat.has("LAYER_PRECISION"):
        pytest.skip("this TensorRT takes precisions from the model")
    folder = fixed("attn").folder
    readme = (folder / "README.txt").read_text()
    [line] = [x.strip() for x in readme.splitlines() if x.strip().startswith("polygraphy convert")]
    words = [w if w != "model.engine" else tmp_path / "m.engine" for w in shlex.split(line)[1:]]
    code = "import sys; from polygraphy.tools import main; sys.argv[0] = 'polygraphy'; sys.exit(main())"
    done = run("-c", code, *words, cwd=folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert error(fixed("attn"), tmp_path / "m.engine", tmp_path) < TOLERANCE


@pytest.mark.timeout(600)
def test_verify_tells_whether_the_fix_holds(fixed, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(fixed("attn").folder, tmp_path / "fix"))
    holds = trtdebug("verify", folder, "--builds", 2)
    assert holds.returncode == 0, holds.stdout + holds.stderr
    assert "HOLDS: 2 of 2 builds" in holds.stdout
    assert "no longer needed" not in holds.stdout
    # The fix taken away: all is forced into FP16, whatever the builder's mood.
    fix = json.loads((folder / "fix.json").read_text())
    fix["interventions"] = [{"kind": "ForcePrecision", "dtype": "fp16"}]
    (folder / "fix.json").write_text(json.dumps(fix))
    broken = trtdebug("verify", folder, "--builds", 1)
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert "DOES NOT HOLD: build 1 of 1" in broken.stdout


@pytest.mark.timeout(600)
def test_a_banned_tactic_is_not_in_the_scripts_engine(fixed, tmp_path: Path) -> None:
    """build.py bans what a first build of one convolution chose, and takes another."""
    if not compat.has("ALGORITHM_SELECTOR"):
        pytest.skip("this TensorRT has no algorithm selector")
    weight = np.random.default_rng(0).normal(0, 0.05, (32, 32, 3, 3)).astype(np.float32)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w"], ["y"], "conv", pads=[1, 1, 1, 1])],
        "g",
        [value("x", 1, [1, 32, 28, 28])],
        [value("y", 1, [1, 32, 28, 28])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    model = tmp_path / "conv.onnx"
    opset = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), model)
    folder = Path(shutil.copytree(fixed("attn").folder, tmp_path / "fix"))
    fix = json.loads((folder / "fix.json").read_text())
    fix["case"]["model"], fix["profiles"], fix["typed"] = str(model), {}, None

    def chosen(*bans: str) -> str:
        fix["interventions"] = [{"kind": "BanTactic", "layer": "conv", "tactic": t} for t in bans]
        (folder / "fix.json").write_text(json.dumps(fix))
        done = run(folder / "build.py", "-o", tmp_path / "conv.engine", isolated=True)
        assert done.returncode == 0, done.stderr
        [line] = [x for x in done.stdout.splitlines() if x.startswith("tactic: conv: ")]
        print(line)
        return line.split()[2].rstrip(",")

    first = chosen("0x1:0x1")  # nobody's
    second = chosen(first)
    assert second != first
    assert chosen(first, second) not in (first, second)
