"""`trtdebug capability` by TensorRT-RTX, which needs no GPU: the verdict, node and message that its parser gives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import bindings
import numpy as np
import onnx
import pytest
from capability_models import MODELS, POLYGRAPHY
from custom_models import CUBE, cube_model
from in_process import trtdebug
from onnx import TensorProto
from random_graphs import random_graph
from rtx_extension import rtx_paths
from seed_models import value

from trtdebug.backends.run_plan import compare
from trtdebug.graph.load import load_model, save_model
from trtdebug.graph.names import node_names
from trtdebug.session import support
from trtdebug.session.support import SupportQuestion, SupportWorker
from trtdebug.stages.capability import case as capability_case

DIRECT = Path(__file__).resolve().parents[1] / "support" / "direct_parse.py"
SEGMENTS = {
    "identity_nonzero_identity": ["supported 0-0", "unsupported 1-1", "supported 2-2"],
    "unknown_operator": ["supported 0-0", "unsupported 1-1", "supported 2-2"],
    "custom_operator": ["supported 0-0", "unsupported 1-1", "supported 2-2"],
    "deform_conv2d": ["supported 0-0", "unsupported 1-1", "supported 2-2"],
    "gemm_that_does_not_fit": ["unsupported 0-0", "supported 1-1"],
    "branches_with_nonzero": ["supported 0-4", "unsupported 1-1", "supported 3-6"],
    "det_in_a_branch": ["supported 0-0", "unsupported 1-1", "supported 2-2"],
    "unsorted_with_dead_ends": ["supported 0-5"],
    "polygraphy/capability": [
        *("unsupported 0-0", "supported 1-1", "unsupported 2-2", "supported 3-3", "unsupported 4-4"),
    ],
    "polygraphy/custom_op_node": ["unsupported 0-0"],
    "polygraphy/nonzero": ["unsupported 0-0"],
    "polygraphy/loop": ["supported 0-2", "unsupported 3-3", "supported 4-5"],
}
"""What TensorRT-RTX 1.7 takes of the models that it does not take as a whole; as Polygraphy names the files."""


@pytest.fixture(scope="module", autouse=True)
def rtx(tmp_path_factory: pytest.TempPathFactory):
    """The extension and TensorRT-RTX are there; one worker answers all questions of this module."""
    with pytest.MonkeyPatch.context() as patch:
        for path in rtx_paths(tmp_path_factory.mktemp("site")):
            patch.syspath_prepend(path)
        folder = tmp_path_factory.mktemp("worker")
        shared: dict[str, SupportWorker] = {}

        def make(backend: str, own: Path, limits: Any, environment: Any) -> Any:
            worker = shared.setdefault(backend, SupportWorker(backend, folder, limits, environment))
            return _Kept(worker)

        patch.setattr(capability_case, "SupportWorker", make)
        yield
        for worker in shared.values():
            worker.close()


class _Kept:
    """A worker that lives on."""

    def __init__(self, worker: SupportWorker) -> None:
        self.worker = worker

    def __call__(self, question: SupportQuestion) -> Any:
        return self.worker(question)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def direct() -> Iterator[Callable[[Sequence[Path]], list[dict[str, Any]]]]:
    """TensorRT-RTX's own word on model files, from one process that none of our code runs in."""
    site = bindings.ROOT / bindings.RTX
    with subprocess.Popen(
        [sys.executable, DIRECT],
        env={"PYTHONPATH": str(site)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def ask(paths: Sequence[Path]) -> list[dict[str, Any]]:
            words = []
            for path in paths:
                print(path, file=process.stdin, flush=True)
                words.append(json.loads(process.stdout.readline()))
            return words

        yield ask


@pytest.fixture
def located(tmp_path: Path, model_path) -> Callable[[str], Path]:
    """The file of a model by the names of `capability_models`."""

    def find(name: str) -> Path:
        if name.startswith("polygraphy/"):
            return model_path(f"{name}.onnx")
        path = tmp_path / f"{name}.onnx"
        onnx.save(MODELS[name](), path)
        return path

    return find


def answer(path: Path, out: Path, *options: str) -> tuple[int, dict[str, Any]]:
    done = trtdebug("capability", path, "--candidate", "tensorrt-rtx", "--out", out, "--json", *options)
    assert done.stderr == ""
    return done.code, json.loads(done.stdout)


def named(error: dict[str, Any], path: Path) -> str | None:
    names = node_names(onnx.load(path, load_external_data=False))
    return error["name"] or (names[error["index"]] if 0 <= error["index"] < len(names) else None)


@pytest.mark.parametrize("name", [*MODELS, *(f"polygraphy/{name}" for name in POLYGRAPHY)])
def test_it_says_what_the_parser_says(name: str, located, direct, tmp_path: Path) -> None:
    path, out = located(name), tmp_path / "out"
    [own] = direct([path])
    code, data = answer(path, out, "--run")

    assert (data["verdict"] == "supported") == own["parsed"]
    assert code == (0 if own["parsed"] else 1)
    said = [(e["code"], e["node"], e["operator"], e["message"]) for e in data["errors"]]
    assert said == [(e["code"], named(e, path), e["operator"], e["message"]) for e in own["errors"]]
    segments = data["segments"]
    every = sorted(node for segment in segments for node in segment["nodes"])
    assert every == sorted(node_names(onnx.load(path, load_external_data=False)))
    if name in SEGMENTS:
        assert [f"{s['verdict']} {s['first']}-{s['last']}" for s in segments] == SEGMENTS[name]
    if own["parsed"]:
        assert not out.exists()
        return

    for segment in segments:
        file = segment["file"]["model"]
        assert file == f"{segment['verdict']}_subgraph-nodes-{segment['first']}-{segment['last']}.onnx"
        assert (segment["verdict"] == "supported") == (not segment["errors"])
    taken = [out / s["file"]["model"] for s in segments if s["verdict"] == "supported"]
    refused = [out / s["file"]["model"] for s in segments if s["verdict"] == "unsupported"]
    assert all(word["parsed"] for word in direct(taken))
    assert not any(word["parsed"] for word in direct(refused))
    blamed = {named(e, path) for e in own["errors"]} - {None}
    reasons = [(e["code"], e["message"]) for s in segments for e in s["errors"]]
    assert all((e["code"], e["message"]) in reasons for e in own["errors"]) or not blamed
    if data["largest"] is not None:
        [whole] = direct([out / "largest_supported_subgraph.onnx"])
        assert whole["parsed"]


@pytest.mark.parametrize(
    "name",
    [
        *("identity_nonzero_identity", "branches_with_nonzero", "det_in_a_branch"),
        *("polygraphy/loop", "polygraphy/nonzero", "polygraphy/qdq_conv"),
    ],
)
def test_parts_of_what_onnxruntime_knows_run_there_and_give_the_same(
    name: str, located, tmp_path: Path
) -> None:
    code, data = answer(located(name), tmp_path / "out", "--run")
    assert code == 1
    files = [segment["file"] for segment in data["segments"]]
    assert [(f["obstacle"], f["invalid"], f["not_loaded"]) for f in files] == [("", "", "")] * len(files)
    assert data["runs"] == {plan: {"same": True, "detail": ""} for plan in data["plans"]}
    assert "plan.json" in data["plans"]


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs_with_operators_that_nobody_knows(seed: int, direct, tmp_path: Path) -> None:
    """1 to 3 nodes become operators of a domain of their own: they are named, none else; all else is taken."""
    random = np.random.default_rng(seed)
    original = random_graph(seed, 20 + 2 * seed, loops=True)
    plain = [
        n
        for n in original.graph.node
        if len(n.output) == 1 and n.op_type in ("Add", "Mul", "Sub", "Tanh", "Neg")
    ]
    planted = {n.name for n in random.choice(np.array(plain, object), size=1 + seed % 3, replace=False)}
    model = onnx.ModelProto()
    model.CopyFrom(original)
    model.opset_import.add(domain="nobody", version=1)
    for made in model.graph.node:
        if made.name in planted:
            made.op_type, made.domain = f"Strange{made.op_type}", "nobody"
        tall = {"Concat": [[8, 4]], "Loop": [[4, 4], [2, 4, 4]]}.get(made.op_type, [[4, 4]])
        model.graph.value_info.extend(value(o, shape) for o, shape in zip(made.output, tall, strict=True))
    path, whole = tmp_path / "model.onnx", tmp_path / "whole.onnx"
    save_model(model, path)
    save_model(original, whole)
    [own, before] = direct([path, whole])
    assert before["parsed"]
    assert not own["parsed"]

    code, data = answer(path, tmp_path / "out")
    assert code == 1
    bad = {n for s in data["segments"] if s["verdict"] != "supported" for n in s["nodes"]}
    assert bad == planted
    assert {n for s in data["segments"] for n in s["nodes"]} == {n.name for n in model.graph.node}
    files = [tmp_path / "out" / s["file"]["model"] for s in data["segments"] if s["verdict"] == "supported"]
    assert all(word["parsed"] for word in direct(files))
    for file in (tmp_path / "out").glob("*.onnx"):  # now let onnxruntime know them, too
        part = load_model(file)
        for made in part.graph.node:
            if made.domain == "nobody":
                made.op_type, made.domain = made.op_type.removeprefix("Strange"), ""
        save_model(part, file)
    feeds = {v.name: random.random((4, 4)).astype(np.float32) for v in model.graph.input}
    for name in data["plans"]:
        plan = json.loads((tmp_path / "out" / name).read_text())
        assert compare(plan, tmp_path / "out", whole, feeds) == {}


def test_the_report_names_segment_node_and_reason(located, tmp_path: Path) -> None:
    done = trtdebug("capability", located("unknown_operator"), "--out", tmp_path / "out")
    assert done.code == 1
    lines = done.stdout.splitlines()
    assert "tensorrt-rtx 1.7" in lines[0]
    row = next(line for line in lines if "1-1" in line)
    assert row.split()[:4] == ["1", "1-1", "1", "unsupported"]
    assert "node 'unknown' (UnknownNode): INVALID_NODE" in row
    assert (tmp_path / "out" / "results.txt").read_text() == done.stdout
    assert json.loads((tmp_path / "out" / "capability.json").read_text())["verdict"] == "unsupported"


def test_shapes_make_known_what_was_not(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13, "c" : 1]> g (float[4] x) => (float[4] y)
        { b = c.Custom(x) d = Add(b, x) y = Neg(d) }"""
    path = tmp_path / "model.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    _, blind = answer(path, tmp_path / "out")
    assert [s["verdict"] for s in blind["segments"]] == ["unsupported", "unknown", "supported"]
    assert "--input-shapes b:SHAPE" in blind["segments"][1]["errors"][0]["message"]
    _, seeing = answer(path, tmp_path / "out", "--input-shapes", "b:[4]")
    assert [s["verdict"] for s in seeing["segments"]] == ["unsupported", "supported"]


def test_shapes_of_inputs_are_the_models_then(located, tmp_path: Path) -> None:
    path = located("polygraphy/multi_attention")
    code, data = answer(path, tmp_path / "out")
    assert code == 1
    assert any("'q'" in note and "--input-shapes" in note for note in data["notes"])
    shapes = [f"{name}:[1,2,4,8]" for name in ("q", "q1", "v", "v2")]
    shapes += [f"{name}:[1,2,8,4]" for name in ("k", "k2")]
    code, data = answer(path, tmp_path / "out", *(word for s in shapes for word in ("--input-shapes", s)))
    assert data["verdict"] in ("supported", "unsupported")
    assert not any("--input-shapes" in note for note in data["notes"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--candidate", "emulator"), "emulator has no parser that could be asked"),
        (("--candidate", "nobody"), "there is no backend 'nobody'"),
        (("--input-shapes", "zz:[1]"), "'zz', which is no tensor of the model"),
        (("--plugins", "nowhere.so"), "there is no plugin library nowhere.so"),
        (("--out", "."), "which is not by `trtdebug capability`"),
        (("--out", "/proc/nowhere"), "/proc/nowhere cannot be written"),
        (("--input-shapes", "x:[7]"), "--input-shapes gives 'x' [7], but the model wants"),
    ],
)
def test_bad_input_is_one_line(words, says: str, located, tmp_path: Path, monkeypatch) -> None:
    path = located("unknown_operator")
    monkeypatch.chdir(tmp_path)
    done = trtdebug("capability", path, *words)
    assert done.code == 2
    assert says in done.stderr


def test_a_plan_is_run_with_the_users_operators(tmp_path: Path) -> None:
    path, out = tmp_path / "cube.onnx", tmp_path / "out"
    onnx.save(cube_model(), path)
    (tmp_path / "cube.py").write_text(CUBE)
    _, without = answer(path, out, "--run", "--input-shapes", "x:[2,8]")
    assert not any(run["same"] for run in without["runs"].values())
    _, data = answer(
        path, out, "--run", "--input-shapes", "x:[2,8]", "--operators", str(tmp_path / "cube.py")
    )
    assert data["runs"] == {plan: {"same": True, "detail": ""} for plan in data["plans"]}
    assert "plan.json" in data["plans"]
    bad = [s["nodes"] for s in data["segments"] if s["verdict"] != "supported"]
    assert bad == [["cube"]]


def test_plugins_that_the_parser_does_not_take_are_not_left_out(located, tmp_path: Path) -> None:
    library = tmp_path / "libplugin.so"
    library.write_text("any")
    code, data = answer(located("custom_operator"), tmp_path / "out", "--plugins", str(library))
    assert (code, data["verdict"]) == (4, "unknown")
    assert "TensorRT-RTX takes no plugin libraries" in data["errors"][0]["message"]


def test_a_parser_that_dies_is_no_answer(located, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the real worker: the process of the parser is killed, the command is not."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "dying.py").write_text(
        """
import os, signal
from trtdebug.backends.base import Availability, Support
from trtdebug.graph.load import load_model
from trtdebug.plugins.spec import hookimpl

class Dying:
    name, summary, realises, deterministic = "dying", "dies of Neg", frozenset(), True
    def probe(self):
        return Availability(True)
    def build(self, request):
        raise NotImplementedError
    def support(self, request):
        if any(n.op_type == "Neg" for n in load_model(request.model).graph.node):
            os.kill(os.getpid(), signal.SIGSEGV)
        return Support(True)

@hookimpl
def trtdebug_backends():
    yield Dying()
"""
    )
    info = site / "dying-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dying\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[trtdebug]\ndying = dying\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(capability_case, "SupportWorker", support.SupportWorker)
    done = trtdebug(
        "capability",
        located("custom_operator_traced"),
        "--candidate",
        "dying",
        "--out",
        tmp_path / "out",
        "--json",
    )
    data = json.loads(done.stdout)
    assert done.code == 4
    assert [(s["verdict"], s["nodes"]) for s in data["segments"]] == [
        ("supported", ["clip"]),
        ("unknown", ["neg"]),
        ("supported", ["exp", "add", "div"]),
    ]
    assert "SIGSEGV (segmentation fault)" in data["segments"][1]["errors"][0]["message"]
    assert data["runs"] == {}
    assert onnx.load(tmp_path / "out" / "unknown_subgraph-nodes-1-1.onnx").graph.node[0].op_type == "Neg"


def test_types_are_written_into_the_parts(located, tmp_path: Path) -> None:
    answer(located("unknown_operator"), tmp_path / "out")
    last = onnx.load(tmp_path / "out" / "supported_subgraph-nodes-2-2.onnx").graph.input[0].type.tensor_type
    assert (last.elem_type, [d.dim_value for d in last.shape.dim]) == (TensorProto.FLOAT, [1, 3, 5, 5])
