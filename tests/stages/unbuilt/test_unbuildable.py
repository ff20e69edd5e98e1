"""The smallest pieces that a candidate does not build: all planted ones are named, and nothing else."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import dying_backend
import numpy as np
import onnx
import onnx.parser
import pytest
from contexts import plugins_with
from several_workers import Counting, Threads
from unbuildable_graphs import (
    INVALID,
    PlantedModel,
    Refusing,
    builder_says,
    parser_says,
    planted_model,
    write,
)

from trtdebug.backends.base import BuildRequest, Engine
from trtdebug.core.build_error import BuildError
from trtdebug.core.case import BuildOptions
from trtdebug.core.errors import BuildFailure
from trtdebug.debugger import Debugger
from trtdebug.graph.load import load_model
from trtdebug.graph.walk import all_nodes
from trtdebug.plugins.builtin import BUILTINS
from trtdebug.plugins.manager import PluginManager
from trtdebug.session.executor import InProcess, WorkerProcesses
from trtdebug.session.limits import WorkerLimits
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest, prepare, store_samples
from trtdebug.stages.unbuilt.piece_builds import PieceBuilds, build_errors
from trtdebug.stages.unbuilt.unbuildable import Hunt, Unbuildable

SIZES = ([20, 40, 80] * 3 + [150, 400]) * 4
CASES = [(seed, size, count) for seed, (size, count) in enumerate(itertools.product(SIZES, [1, 2, 3]))][:100]


def opened(model: Path, backend: Refusing, folder: Path, workers: int = 1) -> Context:
    plugins = plugins_with(backend)
    prepared = prepare(CaseRequest(model, BuildOptions(), candidate=backend.name), plugins)
    executor = Threads(InProcess(folder / "session", plugins.backends()), workers)
    session = Counting(folder / "session", executor)
    store_samples(prepared, session.tensors)
    return Context(session, prepared.case, plugins)


def hunted(model: Path, backend: Refusing, folder: Path, workers: int = 1) -> Hunt:
    builds = PieceBuilds(opened(model, backend, folder, workers))
    hunt = Hunt(builds)
    hunt.run(build_errors(builds.whole()))
    return hunt


def bound(planted: PlantedModel) -> float:
    """What repeated bisection takes, as `bench/search.py` measures it (10.3 trials of 300 items for one culprit, 26.9
    for three): for each item at fault log2(n) and a confirmation, and one trial for the rest.

    An item in a body takes one more for each body of the node, and a bisection of its own.
    """
    total = 1.0
    for culprit in planted.culprits:
        inside = planted.inside[min(culprit)]
        total += len(culprit) * (math.log2(planted.nodes) + 1) + (len(inside) and 4)
    return total


def named(unbuildable: Unbuildable, culprits: Collection[frozenset[str]]) -> frozenset[str]:
    """The nodes that it names; of an edge one may be needed by the other only to know a size."""
    nodes = frozenset(unbuildable.nodes)
    return nodes if nodes in culprits else nodes | frozenset(unbuildable.needs)


@pytest.mark.parametrize(
    ("says", "batch"),
    [*((builder_says, b) for b in range(0, len(CASES), 10)), (parser_says, 0), (parser_says, 10)],
)
def test_all_planted_nodes_are_named_and_none_else(says, batch: int, tmp_path: Path) -> None:
    trials, bounds = 0, 0.0
    for seed, size, count in CASES[batch : batch + 10]:
        planted = planted_model(seed, size, count, pairs=says is builder_says and seed % 4 == 3)
        backend = Refusing(planted.culprits, says)
        hunt = hunted(write(planted.model, tmp_path / str(seed)), backend, tmp_path / str(seed))
        found = {named(u, planted.culprits) for u in hunt.found}
        assert found == planted.culprits, (seed, size, count, hunt.unknown)
        assert all(u.proven for u in hunt.found)
        assert {u.inside for u in hunt.found} == {planted.inside[min(c)] for c in planted.culprits}
        for unbuildable in hunt.found:
            held = {n.name for n in unbuildable.piece.graph.node}
            assert held == {*unbuildable.nodes, *unbuildable.needs}
        trials += hunt.builds.ctx.session.counts.total
        bounds += bound(planted)
    assert trials <= 1.2 * bounds
    assert says is builder_says or trials <= 0.6 * bounds  # a parser that names them saves the search
    print(f"{trials} trials, {bounds:.0f} by bisection")


def described(text: str) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17, "my" : 1]> {text}')
    for node in model.graph.node:
        node.name = f"n_{node.output[0]}"
    return model


CHAIN = """g (float[2] x) => (float[2] h)
    { a = Relu(x) b = Abs(a) c = Neg(b) d = Tanh(c) e = Exp(d) f = Sin(e) h = Cos(f) }"""


def says_each(found: frozenset[str]) -> BuildError:
    """Another message for each node, and no names."""
    return BuildError("build", f"assertion {min(found).replace('n_', 'in ').translate(LETTERS)} failed")


LETTERS = str.maketrans("abcdefgh", "ABCDEFGH")


def planted(*names: str) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(f"n_{n}" for n in name) for name in names)


def nodes(hunt: Hunt) -> set[frozenset[str]]:
    return {frozenset(u.nodes) for u in hunt.found if u.proven}


@pytest.mark.parametrize("names", [("b", "f"), ("f", "b"), ("a", "d", "h"), ("bc", "f")])
def test_culprits_that_fail_each_in_its_own_way_are_all_named(names: tuple[str, ...], tmp_path: Path) -> None:
    hunt = hunted(write(described(CHAIN), tmp_path), Refusing(planted(*names), says_each), tmp_path)
    assert nodes(hunt) == planted(*names), hunt.unknown
    assert hunt.unknown == []


class NamesAll(Refusing):
    """Like a parser that goes on after an error, and names every node that it does not know."""

    def build(self, request: BuildRequest) -> Engine:
        held = {node.name for node in load_model(request.model).graph.node}
        errors = tuple(parser_says(culprit) for culprit in sorted(self.culprits, key=min) if culprit <= held)
        if errors:
            raise BuildFailure(errors[0].message, errors=errors)
        return super().build(request)


@pytest.mark.parametrize(("kind", "pairs"), [(Refusing, True), (NamesAll, False)])
def test_four_workers_say_what_one_says_in_fewer_rounds(
    kind: type[Refusing], pairs: bool, tmp_path: Path
) -> None:
    rounds = {1: 0, 4: 0}
    for seed, size, count in ((1, 40, 3), (6, 100, 5)):
        planted = planted_model(seed, size, count, pairs)
        model = write(planted.model, tmp_path / str(seed))
        backend = kind(planted.culprits)
        hunts = {n: hunted(model, backend, tmp_path / f"{seed}-{n}", n) for n in rounds}
        assert hunts[1].found == hunts[4].found
        assert hunts[1].unknown == hunts[4].unknown
        for workers, hunt in hunts.items():
            session = hunt.builds.ctx.session
            assert isinstance(session, Counting)
            rounds[workers] += session.rounds
            assert session.counts.builds <= workers * session.rounds
            assert workers > 1 or session.counts.total == session.rounds
    assert rounds[4] <= 0.75 * rounds[1], rounds


@pytest.mark.parametrize("names", [("b", "f"), ("bc", "f")])
def test_what_is_not_asked_for_in_the_end_changes_nothing(names: tuple[str, ...], tmp_path: Path) -> None:
    def invalid(piece: onnx.ModelProto) -> bool:
        held = ",".join(sorted(n.name for n in piece.graph.node))
        return len(piece.graph.node) < 6 and zlib.crc32(held.encode()) % 10 < 3

    backend = Refusing(planted(*names), says_each, refuses_first=invalid)
    model = write(described(CHAIN), tmp_path)
    alone, crowd = (hunted(model, backend, tmp_path / str(n), n) for n in (1, 4))
    assert (crowd.found, crowd.unknown) == (alone.found, alone.unknown)


def test_where_pieces_fail_otherwise_it_names_the_smallest_that_can_be_tested_and_says_so(
    tmp_path: Path,
) -> None:
    def lacks_its_reader(model: onnx.ModelProto) -> bool:
        held = {n.name for n in model.graph.node}
        return "n_d" in held and "n_e" not in held

    backend = Refusing(planted("d"), refuses_first=lacks_its_reader)
    hunt = hunted(write(described(CHAIN), tmp_path), backend, tmp_path)
    assert nodes(hunt) == set()
    assert [u.nodes for u in hunt.found] == [("n_d", "n_e")]
    assert "2 nodes" in hunt.unknown[0]


@pytest.mark.parametrize("seed", range(20))
def test_pieces_that_cannot_be_tested_never_lead_to_a_wrong_name(seed: int, tmp_path: Path) -> None:
    model = planted_model(seed, 30, 1)

    def invalid(piece: onnx.ModelProto) -> bool:
        held = ",".join(sorted(n.name for n in piece.graph.node))
        return len(piece.graph.node) < 25 and zlib.crc32(f"{seed}{held}".encode()) % 10 < 3

    backend = Refusing(model.culprits, builder_says, refuses_first=invalid)
    hunt = hunted(write(model.model, tmp_path), backend, tmp_path)
    culprit = min(min(model.culprits))
    for unbuildable in hunt.found:
        if unbuildable.proven:
            assert culprit in unbuildable.nodes or unbuildable.error.message == INVALID
        holders = {*unbuildable.nodes, *unbuildable.inside}
        assert holders & {culprit, *model.inside[culprit]} or unbuildable.error.message == INVALID
    assert hunt.found


def test_a_candidate_that_builds_nothing_is_no_fault_of_the_model(tmp_path: Path) -> None:
    hunt = hunted(
        write(described(CHAIN), tmp_path), Refusing(frozenset(), refuses_first=lambda model: True), tmp_path
    )
    assert hunt.found == []
    assert "does not even build a model of one Identity" in hunt.unknown[-1]


def test_behind_an_operator_that_nobody_knows_nothing_is_guessed(tmp_path: Path) -> None:
    model = described("g (float[2] x) => (float[2] y) { a = Relu(x) b = my.Odd(a) c = Abs(b) y = Neg(c) }")
    hunt = hunted(write(model, tmp_path, check=False), Refusing(planted("b"), parser_says), tmp_path)
    assert nodes(hunt) == planted("b")
    assert "2 nodes behind" in hunt.unknown[0]


def test_nodes_of_functions_are_named_within_their_call(tmp_path: Path) -> None:
    text = """g (float[2] x) => (float[2] y) { a = Relu(x) b = my.twice(a) y = Neg(b) }
        <domain: "my", opset_import: ["" : 17]> twice (v) => (w) { l = Tan(v) w = Add(l, l) }"""
    refusing = Refusing(frozenset(), refuses_first=lambda m: any(n.op_type == "Tan" for n in everything(m)))
    hunt = hunted(write(described(text), tmp_path), refusing, tmp_path)
    (found,) = hunt.found
    assert found.inside == ("n_b",)
    assert [n.op_type for n in found.piece.graph.node] == ["Tan"]


def everything(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    yield from all_nodes(model.graph.node)
    for function in model.functions:
        yield from function.node


def test_weights_in_other_files_are_not_copied(tmp_path: Path) -> None:
    model = described("g (float[64] x) => (float[64] y) { a = Relu(x) b = Add(a, w) y = Neg(b) }")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((64, 64), np.float32), "w"))
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("y", 1, [64, 64]))
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=1024)
    hunt = hunted(path, Refusing(planted("b")), tmp_path)
    assert nodes(hunt) == planted("b")
    pieces = tmp_path / "session" / "work" / "pieces"
    assert (pieces / "weights.bin").samefile(tmp_path / "weights.bin")
    assert (pieces / "piece.onnx").stat().st_size < 1024


@pytest.mark.parametrize(("op", "kind"), [("Det", "crash"), ("Cosh", "crash"), ("Erf", "timeout")])
def test_a_builder_that_dies_or_hangs_is_localised_like_one_that_refuses(
    op: str, kind: str, tmp_path: Path
) -> None:
    model = described(f"g (float[2, 2] x) => (float z) {{ a = Abs(x) e = {op}(a) z = Neg(e) }}")
    plugins = PluginManager.load(builtins=[*BUILTINS, dying_backend], third_party=False)
    prepared = prepare(CaseRequest(write(model, tmp_path), candidate="dying", builds=1), plugins)
    folder = tmp_path / "session"
    limits = WorkerLimits(1.5 if kind == "timeout" else 60.0, 8 << 30)
    with closing(WorkerProcesses(folder, limits, dying_backend.install(tmp_path / "dist"))) as workers:
        session = Session(folder, workers)
        store_samples(prepared, session.tensors)
        diagnosis = Debugger(Context(session, prepared.case, plugins), until="localise").run()
    assert diagnosis.verdict == "untestable"
    assert diagnosis.signature is not None
    assert diagnosis.signature.kind == "build-failure"
    assert len(diagnosis.culprits) == 1, (diagnosis.reason, diagnosis.unknown)
    (culprit,) = diagnosis.culprits
    assert (culprit.nodes, culprit.kind, culprit.proven) == (("n_e",), "build", True)
    assert culprit.error is not None
    assert culprit.error.kind == kind
