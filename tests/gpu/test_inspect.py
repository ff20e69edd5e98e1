"""`trtdebug inspect`, `--profile` and engine files on real TensorRT.

Builds take place in this process, which so starts TensorRT once. Beside it run one real command, a process that
makes engines without trtdebug, and a worker that may die of damaged ones.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from engine_reader import computing, layers
from fake_backend import job, store_samples
from in_process import SharedWorker, jobs_run_by, jobs_run_here, trtdebug
from onnx import helper, numpy_helper

from trtdebug.backends.base import BuildRequest
from trtdebug.backends.tensorrt import build as build_module
from trtdebug.backends.tensorrt import compat
from trtdebug.backends.tensorrt.backend import TensorrtBackend
from trtdebug.backends.tensorrt.engine_file import read_header
from trtdebug.backends.tensorrt.inspect import LAYERS_FILE
from trtdebug.core.case import BuildOptions, Profile
from trtdebug.core.errors import BuildFailure
from trtdebug.core.intervention import ForcePrecision, PinPrecision
from trtdebug.session.executor import WorkerProcess
from trtdebug.session.job import TensorRef
from trtdebug.session.perform import perform

pytestmark = pytest.mark.gpu

FP16 = BuildOptions(precision="fp16", tf32=False, optimization_level=0)
FORCE, PIN = ForcePrecision("fp16"), PinPrecision(("conv1", "relu1"))
SHAPE = [1, 8, 16, 16]
NODES = {"conv0", "relu0", "conv1", "relu1", "conv2", "relu2"}
CHEAP = ("--opt-level", "0")

MAKE_ENGINES = """
import sys
from pathlib import Path
import tensorrt as trt
from polygraphy.backend.trt import CreateConfig, engine_bytes_from_network, network_from_onnx_path
for model, engine, word in zip(*[iter(sys.argv[1:])] * 3):
    verbosity = getattr(trt.ProfilingVerbosity, word)
    config = CreateConfig(tf32=False, builder_optimization_level=0, profiling_verbosity=verbosity)
    Path(engine).write_bytes(bytes(engine_bytes_from_network(network_from_onnx_path(model), config)))
"""


def cnn(path: Path, seed: int = 3, batch: int | str = 1) -> Path:
    """Three pairs of Conv and Relu: conv0, relu0, ..."""
    random = np.random.default_rng(seed)
    nodes, weights, tensor = [], [], "x"
    for k in range(3):
        weights.append(
            numpy_helper.from_array(random.normal(0, 0.1, (8, 8, 3, 3)).astype(np.float32), f"w{k}")
        )
        nodes.append(helper.make_node("Conv", [tensor, f"w{k}"], [f"c{k}"], f"conv{k}", pads=[1, 1, 1, 1]))
        tensor = "y" if k == 2 else f"r{k}"
        nodes.append(helper.make_node("Relu", [f"c{k}"], [tensor], f"relu{k}"))
    value = helper.make_tensor_value_info
    shape = [batch, *SHAPE[1:]]
    graph = helper.make_graph(nodes, "g", [value("x", 1, shape)], [value("y", 1, shape)], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


Processes = dict[str, "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inspect")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return cnn(folder / "cnn.onnx")


@pytest.fixture(scope="module", autouse=True)
def processes(folder: Path, model: Path) -> Iterator[Processes]:
    """Started ahead, since each takes long, and waited for where it is needed."""
    other = cnn(folder / "other.onnx", seed=4)
    wanted = [
        (model, folder / "good.engine", "DETAILED"),
        (other, folder / "other.plan", "DETAILED"),
        (model, folder / "names.engine", "LAYER_NAMES_ONLY"),
    ]
    session = folder / "command"
    lines: dict[str, list[object]] = {
        "engines": ["-c", MAKE_ENGINES, *(word for engine in wanted for word in engine)],
        "command": [
            "-m",
            "trtdebug",
            "inspect",
            model,
            "--fp16",
            "--profile",
            "--quiet",
            "--session",
            session,
        ],
    }
    started = {
        name: subprocess.Popen(
            [sys.executable, *map(str, line)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, line in lines.items()
    }
    yield started
    for process in started.values():
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def engine(folder: Path, processes: Processes) -> Callable[[str], Path]:
    """An engine file by its name: "good.engine", "other.plan" or "names.engine"."""
    _, said = processes["engines"].communicate(timeout=120)
    assert processes["engines"].returncode == 0, said
    return lambda name: folder / name


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands run in an empty folder and start no worker."""
    monkeypatch.chdir(tmp_path)
    with jobs_run_here():
        yield


@pytest.fixture(scope="module")
def worker(folder: Path) -> Iterator[WorkerProcess]:
    started = WorkerProcess(folder)
    started.start()
    yield started
    started.close()


def answer(*words: object) -> Any:
    done = trtdebug(*words, "--json", "--quiet")
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.usefixtures("here")
def test_a_build_shows_its_layers_and_their_times(model: Path) -> None:
    words = ("inspect", model, "--fp16", *CHEAP, "--profile", "--profile-runs", 5, "--session", "s")
    found = answer(*words)
    assert {n for layer in found["layers"] for n in (*layer["nodes"], *layer["at_most"])} == NODES
    convolutions = [layer for layer in found["layers"] if "conv1" in layer["nodes"]]
    assert convolutions
    assert all(layer["tactic"] and layer["reads"] and layer["writes"] for layer in convolutions)
    assert all(0 < layer["milliseconds"] < 1000 for layer in found["layers"] if layer["nodes"])
    names = [layer["name"] for layer in found["layers"]]
    assert len(names) == len(set(names))  # the profiler and the inspector use the same names
    again = trtdebug(*words, "--quiet")  # from the session
    assert again.code == 0
    assert f"{len(names)} layers" in again.stdout.splitlines()[0]


@pytest.mark.usefixtures("here")
def test_compare_profiles_the_build_that_it_judges(model: Path) -> None:
    done = trtdebug("compare", model, "--fp16", *CHEAP, "--profile", "--quiet", "--json")
    assert done.code in (0, 1), done.stderr
    found = json.loads(done.stdout)["engine"]["layers"]
    assert any(layer["milliseconds"] for layer in found)


@pytest.mark.usefixtures("here")
def test_two_builds_side_by_side(model: Path) -> None:
    both = answer("inspect", model, model, "--fp16", *CHEAP, "--session", "low")
    counted = both["same"] + sum(len(d["first"]) for d in both["differences"])
    assert counted == len(both["first"]["layers"])
    answer("inspect", model, "--no-tf32", *CHEAP, "--session", "full")
    sessions = answer("inspect", "low", "full")
    aspects = {aspect for d in sessions["differences"] for aspect in d["differs"]}
    assert aspects <= {"fusion", "precision", "tactic", "one-sided"}
    assert sessions["first"]["layers"]
    assert all(layer["precision"] != "fp16" for layer in sessions["second"]["layers"])


def test_formats_of_dynamic_shapes_are_read_or_said_to_be_unknown(tmp_path: Path) -> None:
    """Whether TensorRT tells them there depends on its version; what it does not tell is nowhere called honoured."""
    path = cnn(tmp_path / "dynamic.onnx", batch="n")
    shapes = {"x": Profile((1, 8, 16, 16), (2, 8, 16, 16), (4, 8, 16, 16))}
    request = BuildRequest(path, FP16, tmp_path, (FORCE,), profiles=shapes, artifacts=tmp_path / "engine")
    built = TensorrtBackend().build(request)
    try:
        info = built.info()
        assert built.run({"x": np.ones((4, 8, 16, 16), np.float32)})["y"].shape == (4, 8, 16, 16)
    finally:
        built.close()
    raw = tmp_path / "engine" / LAYERS_FILE
    for entry in json.loads(raw.read_text())["Layers"]:
        formats = [t.get("Format/Datatype") for t in (*entry["Inputs"], *entry["Outputs"])]
        print(entry["LayerType"], entry["Name"], formats, entry.get("Metadata"))
    print(
        f"honoured {info.honoured}, unverified {info.unverified}, refused {info.refused}, notes {info.notes}"
    )
    seen = layers(raw)
    assert sorted((*info.honoured, *info.unverified, *info.refused)) == sorted(NODES)
    for node in NODES:
        types = {t for layer in computing(node, seen) for t in layer.types}
        if types != {"fp16"}:
            assert node not in info.honoured, (node, types)
        if not types - {None}:
            assert node in info.unverified, (node, types)
        if node in info.refused:
            assert "fp32" in types, (node, types)


@pytest.fixture
def pinned_job(model: Path, tmp_path: Path) -> Any:
    """A job that builds the model with conv1 and relu1 pinned to FP32, all else forced to FP16."""
    store_samples(tmp_path, {"0": {"x": np.ones(SHAPE, np.float32)}})
    return job(
        backend="tensorrt",
        model=str(model),
        options=FP16,
        interventions=(FORCE, PIN),
        feeds={"x": TensorRef("x")},
        expected=None,
    )


def test_pins_called_honoured_are_seen(pinned_job: Any, tmp_path: Path) -> None:
    outcome = perform(pinned_job, TensorrtBackend(), tmp_path)
    assert outcome.status == "pass", outcome.reason
    assert outcome.engine is not None
    honoured = set(outcome.engine.honoured)
    assert {"conv1", "relu1"} <= honoured
    seen = layers(tmp_path / "trials" / pinned_job.sha256 / LAYERS_FILE)
    for node in honoured:
        wanted = "fp32" if node in PIN.nodes else "fp16"
        assert computing(node, seen)
        assert all(layer.types == {wanted} for layer in computing(node, seen)), (node, computing(node, seen))


def test_a_builder_that_does_not_obey_makes_the_trial_untestable(
    pinned_job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compat.has("LAYER_PRECISION"):
        pytest.skip("this TensorRT takes its precision from the graph")
    obedient = build_module.apply_precision

    def deaf(network: Any, assignments: Any) -> None:
        obedient(network, [replace(a, dtype="fp16") for a in assignments])

    monkeypatch.setattr(build_module, "apply_precision", deaf)
    outcome = perform(pinned_job, TensorrtBackend(), tmp_path)
    assert (outcome.status, outcome.signature) == ("untestable", None)
    assert "'relu1' in another precision than asked: its layer" in outcome.reason
    assert "fp16" in outcome.reason


@pytest.mark.usefixtures("here")
def test_an_engine_file_is_compared_by_its_outputs(model: Path, engine: Callable[[str], Path]) -> None:
    header = read_header(engine("good.engine"))
    assert header.missing == 0
    assert header.version is not None
    installed = TensorrtBackend().probe().version
    assert compat.parse_version(header.version) == compat.parse_version(installed)
    found = answer("compare", model, "--engine", engine("good.engine"), "--no-tf32")
    assert found["status"] == "pass"
    assert [row["tensor"] for row in found["rows"]] == ["y"]
    words = ("--candidate-model", engine("other.plan"), "--no-tf32", "--quiet", "--json")
    done = trtdebug("compare", model, *words)
    assert done.code == 1, done.stderr
    assert json.loads(done.stdout)["rows"][0]["propagated"]["status"] == "fail"


@pytest.mark.usefixtures("here")
def test_an_engine_file_is_inspected_and_timed(engine: Callable[[str], Path], tmp_path: Path) -> None:
    good = engine("good.engine")
    found = answer("inspect", good, "--profile")
    assert {n for layer in found["layers"] for n in layer["nodes"]} >= {"conv0", "conv1", "conv2"}
    assert sum(layer["milliseconds"] or 0 for layer in found["layers"]) > 0
    names_only = answer("inspect", engine("names.engine"))
    assert "DETAILED" in names_only["notes"][0]
    both = answer("inspect", good, good)
    assert (both["same"], both["differences"]) == (len(found["layers"]), [])
    assert not (tmp_path / ".trtdebug").exists()


def test_an_engine_file_takes_no_interventions(engine: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(BuildFailure, match=r"cannot be changed \(ForcePrecision\)"):
        TensorrtBackend().build(BuildRequest(engine("good.engine"), FP16, tmp_path, (FORCE,)))


def damaged(whole: bytes) -> dict[str, bytes]:
    random = np.random.default_rng(0).bytes(5000)
    return {
        "half": whole[: len(whole) // 2],
        "start": whole[:100],
        "garbage": whole[:64] + random,
        "noise": random,
        "empty": b"",
    }


@pytest.mark.parametrize("kind", ["half", "start", "garbage", "noise", "empty"])
def test_a_damaged_or_foreign_engine_is_one_clear_error(
    model: Path,
    engine: Callable[[str], Path],
    worker: WorkerProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = tmp_path / "bad.engine"
    bad.write_bytes(damaged(engine("good.engine").read_bytes())[kind])
    for words in (("compare", model, "--engine", bad), ("inspect", bad)):
        with jobs_run_by(lambda folder: SharedWorker(worker, folder)):
            done = trtdebug(*words, "--quiet")
        assert done.code == (2 if kind in ("noise", "empty") else 4), (done.stdout, done.stderr)
        assert done.stdout == ""
        errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        assert len(errors) == 1, done.stderr
        print(errors[0])
        if kind == "version":
            assert "another version" in errors[0] or "died" in errors[0]


def test_the_command_lists_the_most_expensive_layers_first(processes: Processes) -> None:
    text, said = processes["command"].communicate(timeout=120)
    assert processes["command"].returncode == 0, said
    assert "layers" in text.splitlines()[0]
    times = [
        float(line.split()[0])
        for line in text.splitlines()[2:]
        if line[:9].strip().replace(".", "").isdigit()
    ]
    assert len(times) >= 3
    assert times == sorted(times, reverse=True)
