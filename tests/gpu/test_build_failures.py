"""Models that real TensorRT does not build: refused by the parser, by the builder, for their marks; and dying of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnx.parser
import pytest

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Done:
    """A command's exit code and report."""

    code: int
    report: dict[str, Any]

    @property
    def nodes(self) -> set[str]:
        return {n for c in self.report["culprits"] for n in c["nodes"]}

    @property
    def told(self) -> str:
        """For people who read a failing test."""
        keys = ("reason", "culprits", "unknown", "trials", "repro")
        return json.dumps({k: self.report[k] for k in keys}, indent=1)


def trtdebug(*words: object) -> Done:
    """Runs `trtdebug ...` as a process of its own."""
    line = [sys.executable, "-m", "trtdebug", *map(str, words), "--json", "--quiet"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return Done(done.returncode, json.loads(done.stdout))


def written(text: str, folder: Path) -> Path:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17, "my" : 1]> g {text}')
    for node in model.graph.node:
        node.name = f"n_{node.output[0]}"
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def unbuilt(text: str, folder: Path, *words: object) -> Done:
    done = trtdebug("run", written(text, folder), "--session", folder / "session", "--builds", 1, *words)
    print(done.told)
    assert done.code == 4
    assert done.report["verdict"] == "untestable"
    assert done.report["signature"]["kind"] == "build-failure"
    assert all(c["proven"] and c["kind"] == "build" for c in done.report["culprits"])
    assert done.report["repro"]["verified"], done.report["repro"]["note"]
    return done


REFUSED: dict[str, tuple[str, set[str], Sequence[str]]] = {
    # the parser of 8.6 stops at the first
    "operators": (
        """(float[2, 2] x) => (float y, float z, float[2, 2] w) <float[2, 2] o>
            { r = Relu(x) y = Det(r) s = Neg(x) z = Det(s) o = my.Odd(s) w = Abs(o) }""",
        {"n_y", "n_z", "n_o"},
        (),
    ),
    "in a branch": (
        """(float[2, 2] x, bool c) => (float y) { r = Relu(x) y = If(c) <
            then_branch = a () => (float p) { q = Relu(r) p = Det(q) },
            else_branch = b () => (float p2) { p2 = ReduceSum <keepdims = 0> (r) }> }""",
        {"node_of_p"},
        (),
    ),
    "in a loop": (
        """(float[2, 2] x, int64 n, bool c) => (float[2, 2] y) { y = Loop(n, c, x) <
            body = b (int64 i, bool ci, float[2, 2] v) => (bool co, float[2, 2] w)
                { co = Identity(ci) d = Det(v) w = Mul(v, d) }> }""",
        {"node_of_d"},
        ("--val-range", "n:[1,3]"),
    ),
    "type": (
        "(int32[4, 4] x, int32[4, 4] w) => (int32[4, 4] y) { r = Neg(x) y = MatMul(r, w) }",
        {"n_y"},
        (),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_parser_refuses_is_named_wherever_it_is(name: str, tmp_path: Path) -> None:
    text, nodes, words = REFUSED[name]
    done = unbuilt(text, tmp_path, *words)
    assert done.nodes == nodes
    assert all(c["error"]["kind"] == "parse" for c in done.report["culprits"])


NOT_BUILT = {
    "TopK": (
        """(float[1, 5000] x) => (float[1, 4000] y, int64[1, 4000] i) <int64[1] k = {4000}>
            { a = Neg(x) r = Relu(a) y, i = TopK <axis = 1> (r, k) }""",
        (),
    ),
    "Reshape": (
        """(float[N, 4] x) => (float[3, 5] z) <int64[2] s = {3, 5}>
            { a = Neg(x) r = Relu(a) y = Reshape(r, s) z = Abs(y) }""",
        ("--input-shapes", "x:[2,4]"),
    ),
}


@pytest.mark.parametrize("name", NOT_BUILT)
def test_what_parses_but_does_not_build_is_named(name: str, tmp_path: Path) -> None:
    text, words = NOT_BUILT[name]
    done = unbuilt(text, tmp_path, *words)
    assert done.nodes == {"n_y"}
    assert done.report["culprits"][0]["error"]["kind"] == "build"
    assert done.report["repro"]["nodes"] == 1


@dataclass(frozen=True)
class Marked:
    """attn with every tensor of the network marked; of each smallest set that was found not to build one."""

    model: Path
    done: Done

    @property
    def smallest(self) -> list[str]:
        return list(min((c["tensors"] for c in self.done.report["culprits"] if c["proven"]), key=len))


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Marked:
    """Some 90 builds."""
    folder = tmp_path_factory.mktemp("marks")
    subprocess.run([sys.executable, ROOT / "samples" / "attention.py", folder / "attn.onnx"], check=True)
    done = trtdebug("bisect", folder / "attn.onnx", "--fp16", "--mark-all", "--session", folder / "session")
    print(done.told, flush=True)
    if done.report["signature"] is None or done.report["signature"]["kind"] != "build-failure":
        pytest.skip("this TensorRT builds it with every tensor marked")
    return Marked(folder / "attn.onnx", done)


PLAIN = """
import json, sys
import tensorrt as trt

class Errors(trt.ILogger):
    def __init__(self):
        trt.ILogger.__init__(self)
        self.said = []
    def log(self, severity, message):
        if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
            self.said.append(message)

logger = Errors()
builder = trt.Builder(logger)
explicit = trt.NetworkDefinitionCreationFlag.__members__.get("EXPLICIT_BATCH")
for marks in json.loads(sys.argv[2]):
    logger.said = []
    network = builder.create_network(1 << int(explicit) if explicit is not None else 0)
    parser = trt.OnnxParser(network, logger)
    assert parser.parse_from_file(sys.argv[1])
    wanted = set(marks)
    for layer in (network.get_layer(i) for i in range(network.num_layers)):
        for tensor in (layer.get_output(i) for i in range(layer.num_outputs)):
            if tensor.name in wanted:
                wanted.remove(tensor.name)
                if not tensor.is_network_output:
                    network.mark_output(tensor)
    assert not wanted, wanted
    config = builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.FP16)
    config.builder_optimization_level = 0
    plan = builder.build_serialized_network(network, config)
    print("said", json.dumps(["built"] if plan is not None else logger.said), flush=True)
"""
"""TensorRT's own word, without any code of ours."""


def plain_builds(model: Path, sets: list[list[str]]) -> list[list[str]]:
    """["built"], or what the builder says, with each of these sets of tensors marked."""
    words = [sys.executable, "-c", PLAIN, str(model), json.dumps(sets)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("said ")]


@pytest.mark.timeout(900)
def test_a_smallest_set_of_marks_that_is_not_built_is_found(marked: Marked, tmp_path: Path) -> None:
    """With every tensor of the network marked, 8.6 has no implementation for a block of the transformer."""
    done = marked.done
    assert done.code == 4
    culprits = [c for c in done.report["culprits"] if c["proven"]]
    assert culprits, done.told
    assert all(c["tensors"] and "Could not find any implementation" in c["evidence"] for c in culprits)
    assert done.report["trials"]["total"] <= 125
    assert len(marked.smallest) < 100
    all_said, fewer_said = plain_builds(marked.model, [marked.smallest, marked.smallest[1:]])
    assert any("Could not find any implementation" in line for line in all_said), all_said
    assert fewer_said == ["built"]


@pytest.mark.timeout(900)
def test_marks_that_are_not_built_have_a_repro(marked: Marked, tmp_path: Path) -> None:
    words = [w for tensor in marked.smallest for w in ("--mark", tensor)]
    done = trtdebug("run", marked.model, "--fp16", *words, "--builds", 1, "--session", tmp_path / "session")
    assert done.code == 4, done.told
    assert done.report["repro"]["verified"], done.told
    assert done.report["repro"]["nodes"] <= done.report["model"]["nodes"]
