"""Which parts a parser takes: with a parser that refuses what it is told to, whatever it says of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnx.parser
import ort
import pytest
from fake_parser import FakeParser
from random_graphs import random_graph
from seed_models import shape_arithmetic, unknown_operator, unsorted_with_dead_ends, value, with_if

from trtdebug.backends.base import Support
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.backends.run_plan import NotRun, compare
from trtdebug.core.build_error import BuildError
from trtdebug.core.errors import UserError
from trtdebug.graph.implied_types import complete_types
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model, save_model
from trtdebug.graph.names import name_nodes
from trtdebug.stages.capability.case import choose_parser, seen_ranks
from trtdebug.stages.capability.files import file_name, prepare_folder, save
from trtdebug.stages.capability.segments import Capability, survey
from trtdebug.stages.opening.reference_run import ReferenceRun

HEAD = '<ir_version: 8, opset_import: ["" : 13, "c" : 1]> '


def surveyed(model: onnx.ModelProto, parser: FakeParser) -> Capability:
    name_nodes(model)
    return survey(model, complete_types(model), parser(model), parser)


def parsed(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(HEAD + text)


CHAIN = "g (float[4] x) => (float[4] y) { a = Relu(x) b = Abs(a) d = Neg(b) e = Tanh(d) y = Exp(e) }"


def verdicts(found: Capability) -> list[tuple[str, int, int]]:
    return [(s.verdict, s.first, s.last) for s in found.segments]


def test_a_model_that_is_taken_is_one_segment() -> None:
    parser = FakeParser()
    found = surveyed(parsed(CHAIN), parser)
    assert (found.verdict, found.errors, verdicts(found)) == ("supported", (), [("supported", 0, 4)])
    assert found.largest == found.segments[0]
    assert len(parser.asked) == 1


@pytest.mark.parametrize("blames", ["all", "first", "none", "wrong", "cuts"])
def test_it_is_cut_at_what_is_refused_whoever_is_blamed(blames: str) -> None:
    parser = FakeParser(refused=("node_of_d",), blames=blames)
    found = surveyed(parsed(CHAIN), parser)
    assert found.verdict == "unsupported"
    assert verdicts(found) == [("supported", 0, 1), ("unsupported", 2, 2), ("supported", 3, 4)]
    assert found.segments[1].errors[0].message == "not taken"
    assert found.largest is not None
    assert (len(found.largest.nodes), found.exact) == (2, True)


def test_each_supported_segment_was_asked_for_by_itself() -> None:
    parser = FakeParser(refused=("node_of_b", "node_of_e"))
    found = surveyed(parsed(CHAIN), parser)
    supported = [s.nodes for s in found.segments if s.verdict == "supported"]
    assert supported == [("node_of_a",), ("node_of_d",), ("node_of_y",)]
    assert set(supported) <= set(parser.asked)
    assert {("node_of_b",), ("node_of_e",)} <= set(parser.asked)


def test_a_node_that_breaks_the_parser_is_unknown_and_found() -> None:
    found = surveyed(parsed(CHAIN), FakeParser(refused=("node_of_y",), crashes=("node_of_b",)))
    assert verdicts(found) == [
        ("supported", 0, 0),
        ("unknown", 1, 1),
        ("supported", 2, 3),
        ("unsupported", 4, 4),
    ]
    assert "SIGSEGV" in found.segments[1].errors[0].message
    assert found.verdict == "unsupported"
    assert surveyed(parsed(CHAIN), FakeParser(crashes=("node_of_b",))).verdict == "unknown"


def test_nodes_that_are_only_refused_together_are_cut_apart() -> None:
    """Taken by itself, refused behind what it reads: it begins a segment of its own, and is not called unsupported."""
    found = surveyed(parsed(CHAIN), FakeParser(pairs=(("node_of_b", "node_of_d"),)))
    assert verdicts(found) == [("supported", 0, 1), ("supported", 2, 4)]
    assert found.verdict == "unsupported"  # not in one piece
    assert found.errors[0].node == "node_of_d"
    assert found.largest is not None
    assert len(found.largest.nodes) == 3


def test_a_node_that_bears_nobody_stays_alone() -> None:
    pairs = [("node_of_b", "node_of_d"), ("node_of_d", "node_of_e"), ("node_of_d", "node_of_y")]
    found = surveyed(parsed(CHAIN), FakeParser(pairs=pairs))
    assert [s.nodes for s in found.segments if "node_of_d" in s.nodes] == [("node_of_d",)]
    assert all(s.verdict == "supported" for s in found.segments)


def test_no_cycle_arises_between_segments() -> None:
    """x -> r -> bad -> add, and r -> t -> add: r and t go together, add comes after bad."""
    text = "g (float[4] x) => (float[4] y) { r = Relu(x) b = c.Custom(r) t = Tanh(r) y = Add(b, t) }"
    model = parsed(text)
    model.graph.value_info.append(value("b", [4]))
    found = surveyed(model, FakeParser(refused=("node_of_b",)))
    assert [s.nodes for s in found.segments] == [("node_of_r", "node_of_t"), ("node_of_b",), ("node_of_y",)]
    assert not found.segments[0].contiguous
    assert file_name(found.segments[0]) == "supported_subgraph-nodes-0-2.onnx"
    assert file_name(found.segments[1]) == "unsupported_subgraph-nodes-1-1.onnx"


def test_the_largest_part_need_not_be_a_segment() -> None:
    """Segments are few; the largest part takes of each branch what is clear of the refused node."""
    text = """g (float[4] x) => (float[4] y, float[4] z)
        { b = c.Custom(x) d = Abs(b) y = Neg(d) e = Tanh(x) f = Relu(e) z = Exp(f) }"""
    model = parsed(text)
    model.graph.value_info.append(value("b", [4]))
    found = surveyed(model, FakeParser(refused=("node_of_b",)))
    assert found.largest is not None
    assert len(found.largest.nodes) == 5
    assert found.exact


def test_what_is_behind_an_unknown_shape_is_unknown_and_says_what_to_give() -> None:
    model = parsed("g (float[4] x) => (float[4] y) { a = Relu(x) b = c.Custom(a) d = Add(b, a) y = Neg(d) }")
    found = surveyed(model, FakeParser(refused=("node_of_b",)))
    assert verdicts(found) == [
        ("supported", 0, 0),
        ("unsupported", 1, 1),
        ("unknown", 2, 2),
        ("supported", 3, 3),
    ]
    assert "--input-shapes b:SHAPE" in found.segments[2].errors[0].message


def test_constants_go_with_their_first_reader() -> None:
    model = parsed(
        """g (float[4] x) => (float[4] y)
        { k = Constant <value = float[1] {2.0}> () a = Relu(x) b = Abs(a) y = Mul(b, k) }"""
    )
    found = surveyed(model, FakeParser(refused=("node_of_b",)))
    assert [s.nodes for s in found.segments] == [("node_of_a",), ("node_of_b",), ("node_of_k", "node_of_y")]
    assert found.segments[2].weights == ("node_of_k",)


def test_a_constant_that_is_refused_is_a_node_like_any_other() -> None:
    model = parsed(
        "g (float[4] x) => (float[4] y) { k = Constant <value = float[1] {2.0}> () a = Relu(x) y = Mul(a, k) }"
    )
    found = surveyed(model, FakeParser(refused=("node_of_k",)))
    assert [(s.verdict, s.nodes) for s in found.segments] == [
        ("unsupported", ("node_of_k",)),
        ("supported", ("node_of_a", "node_of_y")),
    ]


def test_a_model_refused_for_what_is_around_its_nodes() -> None:
    """Seed 06-01: unsorted, an output that nobody writes. Cut out, all of it is taken."""
    model = unsorted_with_dead_ends()
    name_nodes(model)
    whole = Support(False, (BuildError("parse", "Trying to access a null tensor!", "INTERNAL_ERROR"),))
    found = survey(model, complete_types(model), whole, FakeParser())
    assert (found.verdict, verdicts(found)) == ("unsupported", [("supported", 0, 5)])


def test_without_a_parser_nothing_is_known() -> None:
    whole = Support(None, (BuildError("build", "TensorRT makes no builder here"),))
    model = parsed(CHAIN)
    name_nodes(model)
    found = survey(model, complete_types(model), whole, FakeParser())
    assert (found.verdict, found.segments, found.largest) == ("unknown", (), None)


def written(model: onnx.ModelProto, folder: Path, parser: FakeParser, feeds=None):
    """Surveyed, saved; with the path of the whole model. With feeds, what its types lack is seen in a run."""
    name_nodes(model)
    folder.mkdir(exist_ok=True)
    path = folder / "model.onnx"
    save_model(model, path)
    types = complete_types(model)
    if feeds is not None:
        types |= seen_ranks(path, GraphIndex(model), types, feeds, ReferenceRun(OnnxruntimeBackend(), (), {}))
    found = survey(model, types, parser(model), parser)
    out = folder / "out"
    prepare_folder(out)
    return found, save(path, model, types, found, "candidate", out), path


def plan_of(folder: Path, name: str):
    return json.loads((folder / name).read_text())


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs(seed: int, tmp_path: Path) -> None:
    """Branches, If and Loop bodies with captured tensors, omitted inputs, shared weights, Constant nodes."""
    random = np.random.default_rng(seed)
    model = random_graph(seed, int(random.integers(5, 40)), loops=True)
    names = [n.name for n in model.graph.node]
    refused = tuple(map(str, random.choice(names, size=min(len(names), 1 + seed % 4), replace=False)))
    parser = FakeParser(refused, blames=("all", "first", "none", "wrong", "cuts")[seed % 5])
    feeds = {v.name: random.random((4, 4)).astype(np.float32) for v in model.graph.input}
    found, saved, path = written(model, tmp_path, parser, feeds)

    assert sorted(n for s in found.segments for n in s.nodes) == sorted(names)
    bad = {n for s in found.segments for n in s.nodes if s.verdict != "supported"}
    assert bad == set(refused)
    assert all(
        set(s.computed) == set(asked) for s in found.segments for asked in parser.asked if s.computed == asked
    )
    assert {frozenset(s.computed) for s in found.segments if s.verdict == "supported"} <= set(
        map(frozenset, parser.asked)
    )
    index, place = GraphIndex(model), {n: i for i, s in enumerate(found.segments) for n in s.computed}
    assert all(place[b] <= place[n] for n in place for b in index.predecessors(n) if b in place)
    assert found.largest is not None
    assert not bad & set(found.largest.nodes)
    assert len(found.largest.nodes) >= max(
        len(s.computed) for s in found.segments if s.verdict == "supported"
    )

    for part in (*saved.segments, saved.largest):
        assert (part.obstacle, part.invalid, part.not_loaded) == ("", "", "")
        piece = onnx.load(saved.folder / part.model)
        assert all(v.type.tensor_type.HasField("shape") for v in (*piece.graph.input, *piece.graph.output))
        assert (piece.ir_version, piece.opset_import) == (model.ir_version, model.opset_import)
    for name in ("plan.json", "plan-largest.json"):
        plan = plan_of(saved.folder, name)
        assert compare(plan, saved.folder, path, feeds) == {}
    backends = [p["backend"] for p in plan_of(saved.folder, "plan-largest.json")["parts"]]
    assert backends.count("candidate") == 1


def test_a_wrong_part_does_not_pass(tmp_path: Path) -> None:
    _, saved, path = written(parsed(CHAIN), tmp_path, FakeParser(refused=("node_of_d",)))
    feeds = {"x": np.array([1, -2, 3, 4], np.float32)}
    plan = plan_of(saved.folder, "plan.json")
    assert compare(plan, saved.folder, path, feeds) == {}
    middle = onnx.load(saved.folder / "unsupported_subgraph-nodes-2-2.onnx")
    middle.graph.node[0].op_type = "Identity"
    onnx.save(middle, saved.folder / "unsupported_subgraph-nodes-2-2.onnx")
    assert "relative RMS error" in compare(plan, saved.folder, path, feeds)["y"]
    (saved.folder / "unsupported_subgraph-nodes-2-2.onnx").unlink()
    with pytest.raises(NotRun, match=r"unsupported_subgraph-nodes-2-2.onnx"):
        compare(plan, saved.folder, path, feeds)


@pytest.mark.parametrize("make", [shape_arithmetic, with_if])
def test_seed_models_at_every_node(make, tmp_path: Path) -> None:
    model = make()
    feeds = (
        {"tensor0": np.ones((2, 3, 4, 5), np.float32)}
        if make is shape_arithmetic
        else {"x": np.ones(3, np.float32)}
    )
    for number, name in enumerate(n.name for n in model.graph.node):
        _, saved, path = written(make(), tmp_path / str(number), FakeParser(refused=(name,)), feeds)
        assert [(s.invalid, s.not_loaded) for s in saved.segments] == [("", "")] * len(saved.segments)
        for plan in saved.plans:
            assert compare(plan_of(saved.folder, plan), saved.folder, path, feeds) == {}


def test_local_functions_go_with_their_parts(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "l" : 1]> g (float[4] x) => (float[4] y)
        { a = Relu(x) b = l.f(a) d = Abs(b) y = l.f(d) }
        <domain: "l", opset_import: ["" : 17]> f (x) => (y) { t = Neg(x) y = Exp(t) }"""
    found, saved, path = written(onnx.parser.parse_model(text), tmp_path, FakeParser(refused=("node_of_b",)))
    assert verdicts(found) == [("supported", 0, 0), ("unsupported", 1, 1), ("supported", 2, 3)]
    assert [(s.invalid, s.not_loaded) for s in saved.segments] == [("", "")] * 3
    plan = plan_of(saved.folder, "plan.json")
    assert compare(plan, saved.folder, path, {"x": np.arange(4, dtype=np.float32)}) == {}


def test_large_weights_lie_beside_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with more than 2 GB, by a lower limit."""
    monkeypatch.setattr("trtdebug.graph.load.EXTERNAL_ABOVE", 1000)
    model = parsed("g (float[1,64] x) => (float[1,64] y) { a = MatMul(x, w) b = Relu(a) y = MatMul(b, w) }")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full((64, 64), 0.01, np.float32), "w"))
    _, saved, path = written(model, tmp_path, FakeParser(refused=("node_of_b",)))
    assert (saved.folder / "supported_subgraph-nodes-0-0.onnx.data").stat().st_size == 64 * 64 * 4
    assert (
        len(load_model(saved.folder / saved.segments[2].model).graph.initializer[0].raw_data) == 64 * 64 * 4
    )
    assert all(s.not_loaded == "" for s in saved.segments)
    plan = plan_of(saved.folder, "plan.json")
    assert compare(plan, saved.folder, path, {"x": np.ones((1, 64), np.float32)}) == {}


def test_what_nobody_reads_is_no_output_of_a_part(tmp_path: Path) -> None:
    model = parsed("g (float[8] x) => (float[2] y) { a = Relu(x) b, i = TopK(a, k) y = Neg(b) }")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2]), "k"))
    _, saved, _ = written(model, tmp_path, FakeParser(refused=("node_of_y",)))
    assert saved.segments[0].outputs == ("b",)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"mine\.txt"):
        prepare_folder(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_folder_with_files_named_as_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "inputs.npz").write_text("mine")
    with pytest.raises(UserError, match=r"inputs\.npz"):
        prepare_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["inputs.npz"]


def test_a_folder_that_cannot_be_written_is_bad_input() -> None:
    with pytest.raises(UserError, match="/proc/nowhere cannot be written"):
        prepare_folder(Path("/proc/nowhere"))


def test_a_model_without_nodes_has_no_segments() -> None:
    found = surveyed(parsed("g (float[4] x) => (float[4] x) { }"), FakeParser())
    assert (found.verdict, found.segments, found.largest) == ("supported", (), None)


def test_of_what_no_node_writes_no_shape_is_asked_for() -> None:
    found = surveyed(
        parsed("g (float[4] x) => (float[4] y) { y = Add(x, nowhere) }"), FakeParser(refused=("node_of_y",))
    )
    (said,) = found.segments[0].errors
    assert (said.node, said.message) == ("node_of_y", "No node writes 'nowhere', which it reads.")


def test_a_second_call_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    written(parsed(CHAIN), tmp_path, FakeParser(refused=("node_of_d",)))
    _, saved, _ = written(parsed(CHAIN), tmp_path, FakeParser(refused=("node_of_a",)))
    named = {p.name for p in saved.folder.glob("*subgraph-nodes*")}
    assert named == {"unsupported_subgraph-nodes-0-0.onnx", "supported_subgraph-nodes-1-4.onnx"}


def test_what_onnxruntime_does_not_know_says_so(tmp_path: Path) -> None:
    _, saved, path = written(unknown_operator(), tmp_path, FakeParser(refused=("unknown",)))
    assert [bool(s.not_loaded) for s in saved.segments] == [False, True, False]
    first = onnx.load(saved.folder / saved.segments[0].model)
    x = np.ones((1, 3, 5, 5), np.float32)
    np.testing.assert_array_equal(ort.run(first, {"x": x})["a"], x)
    with pytest.raises(NotRun, match=r"model\.onnx"):
        compare(plan_of(saved.folder, "plan.json"), saved.folder, path, {"x": x})


def test_the_runner_runs_by_itself(tmp_path: Path) -> None:
    import subprocess
    import sys

    from trtdebug.stages.capability.files import save_inputs

    _, saved, _ = written(parsed(CHAIN), tmp_path, FakeParser(refused=("node_of_d",)))
    save_inputs({"x": np.array([1, -2, 3, 4], np.float32)}, saved.folder)
    done = subprocess.run(
        [sys.executable, saved.folder / "run_plan.py"], capture_output=True, text=True, cwd="/", check=False
    )
    assert (done.returncode, done.stdout) == (0, "3 parts: 0 of 1 outputs differ from the whole model's\n")


def test_what_is_refused_for_want_of_a_known_shape_is_unknown() -> None:
    """Two dimensions of unknown size, behind an operator that nobody knows: of known size they may be taken."""
    model = parsed("g (float[2,2] x) => (float y) { b = c.Custom(x) y = Det(b) }")
    model.graph.value_info.append(value("b", [None, None]))
    found = surveyed(model, FakeParser(refused=("node_of_b", "node_of_y")))
    assert [s.verdict for s in found.segments] == ["unsupported", "unknown"]
    message = found.segments[1].errors[0].message
    assert message.startswith("not taken But the shape of 'b', which it reads, is not wholly known.")
    assert message.endswith("--input-shapes b:SHAPE")


@pytest.mark.parametrize("refused", ["node_of_s", "node_of_e"])
def test_no_part_begins_or_ends_at_a_sequence(refused: str, tmp_path: Path) -> None:
    """An engine has tensors only: who writes a sequence and who reads it go together."""
    text = """g (float[4,2] x) => (float y) <int64 one = {1}>
        { a = Relu(x) s = SplitToSequence(a) e = SequenceAt(s, one) y = Neg(e) }"""
    feeds = {"x": np.ones((4, 2), np.float32)}
    found, saved, path = written(parsed(text), tmp_path, FakeParser(refused=(refused,)), feeds)
    assert verdicts(found) == [("supported", 0, 0), ("unsupported", 1, 2), ("supported", 3, 3)]
    does = "reads" if refused == "node_of_s" else "writes"
    assert {e.message for e in found.segments[1].errors} == {
        *("not taken", f"'s', which it {does}, is a sequence or the like, no tensor."),
    }
    for name in saved.plans:
        assert compare(plan_of(saved.folder, name), saved.folder, path, feeds) == {}


@pytest.mark.parametrize(
    ("there", "advice"),
    [(("tensorrt", "tensorrt-rtx"), "`pip install tensorrt_rtx`"), (("tensorrt",), "extension trtdebug-rtx")],
)
def test_where_no_parser_works_it_says_what_is_missing(there: tuple[str, ...], advice: str) -> None:
    plugins = SimpleNamespace(backends=lambda: dict.fromkeys(there, object()))
    with pytest.raises(UserError, match="no backend here has a parser that works") as raised:
        choose_parser("auto", plugins)
    assert advice in raised.value.hint
