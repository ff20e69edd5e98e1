"""Models that TensorRT-RTX's real parser and builder refuse, localised without a GPU."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import onnx
import onnx.parser
import pytest
import trtdebug_rtx
from trtdebug_rtx import module
from trtdebug_rtx.backend import _probe

from trtdebug.core.diagnosis import Diagnosis
from trtdebug.debugger import Debugger, Until
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest, prepare, store_samples

POLYGRAPHY = (
    Path(os.environ.get("TRTDEBUG_TEST_MODELS", Path(__file__).parents[4] / "shared" / "models"))
    / "polygraphy"
)


@pytest.fixture(autouse=True)
def rtx(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT-RTX as `make setup` fetches it, in this process and in fresh ones."""
    fetched = sorted((Path(sys.prefix) / "tensorrt").glob("*/tensorrt_rtx_bindings"))
    if not module.installed() and not fetched:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("TensorRT-RTX is not at hand")
    if fetched:
        monkeypatch.syspath_prepend(str(fetched[-1].parent))
        monkeypatch.setenv("PYTHONPATH", str(fetched[-1].parent))
    _probe.cache_clear()


def diagnosed(model: Path, folder: Path, until: Until = "localise", shapes: Sequence[str] = ()) -> Diagnosis:
    plugins = PluginManager.load(builtins=[*BUILTINS, trtdebug_rtx], third_party=False)
    request = CaseRequest(model, candidate="tensorrt-rtx", input_shapes=shapes, builds=1)
    prepared = prepare(request, plugins)
    session = Session(folder / "session", InProcess(folder / "session", plugins.backends()))
    session.store_case(prepared.case)
    store_samples(prepared, session.tensors)
    return Debugger(Context(session, prepared.case, plugins), prepared.findings, until).run()


def written(text: str, folder: Path) -> Path:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17, "my" : 1]> {text}')
    for node in model.graph.node:
        node.name = f"n_{node.output[0]}"
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.mark.parametrize(
    ("name", "nodes", "code", "says"),
    [
        ("capability.onnx", {"Fake1", "Fake2", "Fake3"}, "INVALID_NODE", "Plugin not found"),
        ("custom_op_node.onnx", {"node_of_out0"}, "INVALID_NODE", "Plugin not found"),
        ("nonzero.onnx", {"onnx_graphsurgeon_node_1"}, "UNSUPPORTED_NODE", "NonZero plugin creator"),
        ("loop.onnx", {"cond___while_Less"}, "INVALID_GRAPH", "Node input was not registered"),
        ("bad_graph_conditionally_invalid.onnx", {"If_Node"}, "4: API Usage Error", "equal ranks"),
        ("qdq_conv.onnx", {"onnx_graphsurgeon_node_1"}, "INVALID_NODE", "Non-zero zero point"),
    ],
)
def test_polygraphy_s_models_get_the_node_and_the_words_of_the_parser(
    name: str, nodes: set[str], code: str, says: str, tmp_path: Path
) -> None:
    if not (POLYGRAPHY / name).is_file():
        pytest.skip(f"{name} is not at hand")
    diagnosis = diagnosed(POLYGRAPHY / name, tmp_path)
    assert diagnosis.verdict == "untestable"
    assert diagnosis.signature is not None
    assert diagnosis.signature.kind == "build-failure"
    assert {n for c in diagnosis.culprits for n in c.nodes} == nodes
    for culprit in diagnosis.culprits:
        assert culprit.proven
        assert culprit.error is not None
        assert culprit.error.code == code
        assert says in culprit.evidence


@pytest.mark.parametrize(
    ("text", "node", "inside", "kind"),
    [
        (
            """(float[2, 2] x, bool c) => (float y) { r = Relu(x) y = If(c) <
                then_branch = a () => (float p) { q = Relu(r) p = Det(q) },
                else_branch = b () => (float p2) { p2 = ReduceSum <keepdims = 0> (r) }> }""",
            "node_of_p",
            ("n_y",),
            "parse",
        ),
        (
            """(float[2, 2] x, int64 n, bool c) => (float[2, 2] y) { y = Loop(n, c, x) <
                body = b (int64 i, bool ci, float[2, 2] v) => (bool co, float[2, 2] w)
                    { co = Identity(ci) d = Det(v) w = Mul(v, d) }> }""",
            "node_of_d",
            ("n_y",),
            "parse",
        ),
        (
            """(float[N, 5000] x) => (float y, int64 i) <int64[1] k = {4000}>
                { r = Relu(x) y, i = TopK(r, k) z = Neg(y) }""",
            "n_y",
            (),
            "build",
        ),
        (
            """(float[N, 4] x) => (float[3, 5] y) <int64[2] s = {3, 5}>
                { r = Relu(x) t = Identity(s) y = Reshape(r, t) }""",
            "n_y",
            (),
            "build",
        ),
    ],
)  # fmt: skip
def test_what_parses_but_does_not_build_and_what_is_in_bodies(
    text: str, node: str, inside: tuple[str, ...], kind: str, tmp_path: Path
) -> None:
    shapes = [f"x:[2,{text.partition('N, ')[2].partition(']')[0]}]"] if "[N" in text else []
    diagnosis = diagnosed(written(f"g {text}", tmp_path), tmp_path, "repro", shapes)
    (culprit,) = diagnosis.culprits
    assert (culprit.nodes, culprit.inside, culprit.proven) == ((node,), inside, True), diagnosis.unknown
    assert culprit.error is not None
    assert culprit.error.kind == kind
    assert diagnosis.repro is not None
    assert diagnosis.repro.verified, diagnosis.repro.note
    assert diagnosis.repro.nodes == 1 + len(culprit.needs)


@pytest.mark.parametrize("seed", range(6))
def test_planted_nodes_are_all_named_and_none_else(seed: int, tmp_path: Path) -> None:
    """Of operators that its parser has no importer for, and that its builder refuses, among healthy ones."""
    rng = random.Random(seed)
    lines, planted, stream = [], set(), "x"
    places = set(rng.sample(range(40), rng.randint(1, 3)))
    for number in range(40):
        name = f"t{number}"
        if number not in places:
            lines.append(f"{name} = {rng.choice(['Relu', 'Tanh', 'Abs', 'Neg'])}({stream})")
        elif rng.random() < 0.5:
            lines.append(f"d{number} = Det({stream}) {name} = Mul({stream}, d{number})")
            planted.add(f"n_d{number}")
        else:
            lines.append(f"{name} = my.Odd({stream})")
            planted.add(f"n_{name}")
        stream = name
    # types of what my.Odd writes are declared: nobody could infer them
    declared = ", ".join(f"float[2, 2] {line.partition(' =')[0]}" for line in lines if "Odd" in line)
    text = f"g (float[2, 2] x) => (float[2, 2] {stream}) <{declared or 'float unused = {1.0}'}> {{ {' '.join(lines)} }}"
    diagnosis = diagnosed(written(text, tmp_path), tmp_path)
    assert {n for c in diagnosis.culprits for n in c.nodes} == planted, diagnosis.unknown
    assert all(c.proven for c in diagnosis.culprits)
    assert diagnosis.trials.total <= 2 * len(planted) + 3
