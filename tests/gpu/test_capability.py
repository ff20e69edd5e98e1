"""What TensorRT's own parser takes, by the real one on a GPU: 8.6's supports_model, and whatever newer is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest
from capability_models import MODELS, POLYGRAPHY

from trtdebug.backends.base import Support
from trtdebug.core.case import BuildOptions
from trtdebug.graph.names import node_names
from trtdebug.plugins.builtin import load_plugins
from trtdebug.session.limits import WorkerLimits
from trtdebug.session.support import SupportQuestion, SupportWorker
from trtdebug.stages.capability.case import CapabilityRequest, Examined, examine

pytestmark = pytest.mark.gpu

DIRECT = """
import json, os, sys
import tensorrt as trt

class Silent(trt.ILogger):
    def __init__(self):
        trt.ILogger.__init__(self)
    def log(self, severity, message):
        pass

logger = Silent()
builder = trt.Builder(logger)
trt.init_libnvinfer_plugins(logger, "")
explicit = trt.NetworkDefinitionCreationFlag.__members__.get("EXPLICIT_BATCH")
flags = 1 << int(explicit) if explicit is not None else 0
print("ready", flush=True)
kept = []  # 8.6 crashes where parsers, networks and builder are freed in another order than it likes
for line in sys.stdin:
    with open(line.strip(), "rb") as file:
        data = file.read()
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, logger)
    parsed = parser.parse(data)
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    said = [[str(error.code()).rpartition(".")[2], error.node(), " ".join(error.desc().split())] for error in errors]
    other = builder.create_network(flags)
    asked = trt.OnnxParser(other, logger)
    kept.append((network, parser, other, asked))
    cut = []
    if (errors or not parsed) and hasattr(asked, "supports_model"):
        cut = [[list(nodes), bool(taken)] for nodes, taken in asked.supports_model(data, line.strip())[1]]
    print("said", json.dumps([parsed, said, cut]), flush=True)
os._exit(0)
"""
"""TensorRT's own word, without any code of ours."""


LIMITS = WorkerLimits(120.0, 16 << 30)


class Said(NamedTuple):
    """Of a model: whether it is parsed, (code, node, message) of each error, (nodes, taken) of each part."""

    parsed: bool
    errors: list[tuple[str, int, str]]
    cut: list[tuple[list[int], bool]]

    @property
    def takes_it(self) -> bool:
        return self.parsed and not self.errors


def direct(paths: list[Path]) -> list[Said | None]:
    """What TensorRT says of each; None where it died of the question, and a new process goes on behind it."""
    said: list[Said | None] = []
    while len(said) < len(paths):
        done = subprocess.run(
            [sys.executable, "-c", DIRECT],
            input="\n".join(map(str, paths[len(said) :])),
            capture_output=True,
            text=True,
            check=False,
        )
        lines = done.stdout.splitlines()
        said += [Said(*json.loads(line[5:])) for line in lines if line.startswith("said ")]
        died = done.returncode < 0 and "ready" in lines  # before that, it died of no model
        assert died or (done.returncode == 0 and len(said) == len(paths)), done.stderr[-2000:]
        said += [None] if died else []
    return said


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, model_path) -> dict[str, Path]:
    """All models by name; those of Polygraphy where they are at hand."""
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for name, make in MODELS.items():
        found[name] = folder / f"{name}.onnx"
        onnx.save(make(), found[name])
    for name in POLYGRAPHY:
        try:
            found[name] = model_path(f"polygraphy/{name}.onnx")
        except pytest.skip.Exception:
            continue
    return found


def both(found: Support, said: Said | None, names: list[str]) -> tuple[list[object], list[object]]:
    """Our word and TensorRT's, to be compared; of a model that TensorRT died of, that ours did, too."""
    if said is None:
        return [found.parsed, *(e.message.partition(":")[0] for e in found.errors)], [None, "the worker died"]
    ours: list[object] = [found.parsed, [(e.code, e.message) for e in found.errors]]
    theirs: list[object] = [said.takes_it, [(code, message) for code, _, message in said.errors]]
    if not found.parsed and said.cut:
        ours.append([(list(s.nodes), s.supported) for s in found.subgraphs])
        theirs.append([([names[n] for n in nodes], taken) for nodes, taken in said.cut])
    return ours, theirs


def test_it_says_what_the_parser_says(files: dict[str, Path], tmp_path: Path) -> None:
    """All in one test: a builder takes seconds to start. In a worker: 8.6 dies of some models."""
    own = dict(zip(files, direct(list(files.values())), strict=True))
    print("died:", [name for name, said in own.items() if said is None])
    differing = {}
    environment = load_plugins(third_party=False).to_env()
    with closing(SupportWorker("tensorrt", tmp_path, LIMITS, environment)) as ask:
        for name, path in files.items():
            found = ask(SupportQuestion("tensorrt", str(path), BuildOptions()))
            ours, theirs = both(found, own[name], node_names(onnx.load(path)))
            if ours != theirs:
                differing[name] = (ours, theirs)
    assert not differing


def test_what_is_called_supported_is_taken_by_itself(files: dict[str, Path], tmp_path: Path) -> None:
    """Through the worker, as the command does it; each saved part is shown to TensorRT's parser again."""
    plugins = load_plugins(third_party=False)

    def ask(name: str) -> Examined:
        request = CapabilityRequest(files[name], "tensorrt", out=tmp_path / name, run=True)
        return examine(request, plugins, LIMITS)

    plugins.backends()  # imported here, not by several threads
    with ThreadPoolExecutor(8) as pool:  # a worker takes seconds to start
        examined = dict(zip(files, pool.map(ask, files), strict=True))
    verdicts = {name: one.found.verdict for name, one in examined.items()}
    taken, refused = [], []
    for name, one in examined.items():
        assert not any(ran.same is False for ran in one.runs.values()), (name, one.runs)
        nodes = sorted(n for s in one.found.segments for n in s.nodes)
        assert nodes == sorted(node_names(onnx.load(files[name]))), name
        if one.saved is not None:
            for segment, file in zip(one.found.segments, one.saved.segments, strict=True):
                where = taken if segment.verdict == "supported" else refused
                if file.model and segment.verdict != "unknown":
                    where.append(tmp_path / name / file.model)
            if one.saved.largest is not None:
                taken.append(tmp_path / name / one.saved.largest.model)
    print(verdicts)
    assert {"unknown_operator", "custom_operator", "deform_conv2d"} <= {
        n for n, verdict in verdicts.items() if verdict == "unsupported"
    }
    assert {"mnist", "linear", "clamped_gemm"} <= {
        n for n, verdict in verdicts.items() if verdict == "supported"
    }
    assert all(said is not None and said.takes_it for said in direct(taken))
    assert not any(said is not None and said.takes_it for said in direct(refused))


def test_three_parts_around_an_unknown_operator(files: dict[str, Path], tmp_path: Path) -> None:
    request = CapabilityRequest(files["unknown_operator"], "tensorrt", out=tmp_path / "out")
    found = examine(request, load_plugins(third_party=False), LIMITS).found
    assert [(s.verdict, s.first, s.last) for s in found.segments] == [
        ("supported", 0, 0),
        ("unsupported", 1, 1),
        ("supported", 2, 2),
    ]
    [error] = found.segments[1].errors
    assert (error.node, error.operator) == ("unknown", "UnknownNode")
    assert error.code
    assert {p.name for p in (tmp_path / "out").glob("*subgraph-nodes*")} == {
        "supported_subgraph-nodes-0-0.onnx",
        "unsupported_subgraph-nodes-1-1.onnx",
        "supported_subgraph-nodes-2-2.onnx",
    }
