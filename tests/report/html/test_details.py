"""What report.html shows of a session, read back from its folder."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from transformer_session import MadeSession, make_session

from trtdebug.core.errors import UserError
from trtdebug.report.html.columns import data_text, page_data
from trtdebug.report.html.details import Details, read_details
from trtdebug.report.html.render import render_html
from trtdebug.report.html.trials import read_trials
from trtdebug.stages.verdicts.sanity import AS_BUILT

NODES = 110


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeSession:
    return make_session(tmp_path_factory.mktemp("made") / "session", NODES, trials=6)


@pytest.fixture(scope="module")
def details(made: MadeSession) -> Details:
    return read_details(made.folder, made.report)


def test_the_graph(details: Details, made: MadeSession) -> None:
    assert details.graph is not None
    nodes = details.graph.nodes
    assert [n.name for n in nodes] == [n.name for n in made.model.graph.node]
    assert all(b < i for i, n in enumerate(nodes) for b in n.before)
    pow_ = nodes[details.graph.place[made.culprits[0]]]
    assert (pow_.op, [nodes[b].op for b in pow_.before]) == ("Pow", ["Sub"])
    assert nodes[0].types == ("float32 [1, 1, 1]",)
    assert details.graph.inputs == ("hidden_states",)


def test_errors_of_nodes_alone_and_in_the_candidate(details: Details, made: MadeSession) -> None:
    graph, errors = details.graph, details.errors
    assert graph is not None
    tensors = [n.writes[0] for n in graph.nodes]
    assert set(errors.local) == set(errors.propagated) == set(tensors)
    failing = [graph.nodes[i].name for i, t in enumerate(tensors) if errors.local[t].status == "fail"]
    assert failing == list(made.culprits)
    first = graph.place[made.culprits[0]]
    states = [errors.propagated[t].status for t in tensors]
    assert set(states[:first]) == {"pass"}
    assert set(states[first:]) == {"fail"}
    assert errors.limit == 0.01
    assert not errors.foreseen


def test_engines_as_built_and_with_the_fix(details: Details, made: MadeSession) -> None:
    assert details.graph is not None
    as_built, fixed = details.engines
    assert (as_built.title, fixed.title) == ("as you build it", "with the fix")
    assert {layer.precision for layer in as_built.layers} == {"fp16"}
    places = {details.graph.place[n] for n in made.culprits}
    in_fp32 = {n for layer in fixed.layers if layer.precision == "fp32" for n in layer.nodes}
    assert places <= in_fp32


def test_the_search_as_it_went(details: Details) -> None:
    steps = details.steps
    assert [s.purpose for s in steps[:4]] == ["as built", "as built", "forced", "nodes isolated"]
    half = steps[4]
    assert (half.stage, half.purpose, half.pinned) == (
        "localise",
        f"{NODES // 2} of {NODES} nodes in fp16",
        NODES // 2,
    )
    assert half.strip == "0" * (NODES // 2) + "x" * (NODES // 2)
    assert half.changes == ("all forced into FP16", f"{NODES // 2} pinned to FP32")
    assert steps[-1].purpose == "verify fix"
    assert steps[-1].pins
    assert not steps[-1].left


def test_values_of_the_cause(details: Details, made: MadeSession) -> None:
    first = details.values[0]
    assert first.source == "alone"
    assert first.candidate is not None
    assert first.candidate.plus_inf > 0 == first.reference.plus_inf
    assert first.reference.highest is not None
    assert first.reference.highest > 65504
    kinds = {(v.source, v.candidate is None) for v in details.values}
    assert kinds == {("alone", False), ("whole", False), ("whole", True)}


def test_a_session_elsewhere_without_its_model_and_tensors(
    made: MadeSession, details: Details, tmp_path: Path
) -> None:
    """What was kept in it is enough; nothing else is missed."""
    moved = tmp_path / "moved"
    shutil.copytree(made.folder, moved)
    shutil.rmtree(moved / "tensors")
    (moved / "decoder.onnx").unlink()
    assert read_details(moved, made.report) == details


def test_an_older_session_is_read_from_its_model_and_tensors(
    made: MadeSession, details: Details, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    shutil.copytree(made.folder, older)
    (older / "graph.json").unlink()
    (older / "values.json").unlink()
    read = read_details(older, made.report)
    assert read.graph is not None
    assert details.graph is not None
    assert [n.before for n in read.graph.nodes] == [n.before for n in details.graph.nodes]
    assert read.values == details.values


def test_nothing_is_guessed_where_there_is_no_session(made: MadeSession, tmp_path: Path) -> None:
    assert read_details(tmp_path, made.report) == Details()
    data = page_data(made.report, Details())
    assert data["graph"] is None
    assert data["marks"]["first"] is None
    assert [data[name] for name in ("engines", "steps", "values", "foreseen")] == [[], [], [], []]
    (tmp_path / "case.json").write_text("no case")
    assert read_details(tmp_path, made.report) == Details()


def test_the_data_are_places_and_columns(made: MadeSession, details: Details) -> None:
    data = json.loads(data_text(page_data(made.report, details)))
    names = data["graph"]["names"]
    assert [names[p] for c in data["marks"]["culprits"] for p in c["nodes"]] == list(made.culprits)
    assert [names[p] for p in data["marks"]["pins"]] == list(made.culprits)
    assert names[data["marks"]["first"]] == made.culprits[0]
    assert [names[p] for p in data["local"]["failed"]] == list(made.culprits)
    assert len(data["local"]["rms"]) == len(data["propagated"]["nonfinite"]) == NODES
    assert data["graph"]["ops"][data["graph"]["op"][0]] == "ReduceMean"


def test_the_page_is_one_file_that_is_the_same_each_time(made: MadeSession) -> None:
    text = render_html(made.report, made.folder)
    assert text == render_html(made.report, made.folder)
    assert "{{" not in text.replace("{{data}}", "")
    assert len(text.encode()) < 600_000
    assert np.all([c.isprintable() or c == "\n" for c in text])


def test_a_damaged_tensor_is_left_out(made: MadeSession, details: Details, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(made.folder, damaged)
    (damaged / "values.json").unlink()
    for path in (damaged / "tensors" / "samples").rglob("*Pow*.npy"):
        path.write_bytes(path.read_bytes()[:40])
    left = read_details(damaged, made.report).values
    assert {v.tensor for v in details.values} - {v.tensor for v in left} == {details.values[0].tensor}


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", '{"role": "candidate", "limits": 3}'])
@pytest.mark.parametrize("file", ["trial.json", "outcome.json", "engine.json"])
def test_a_damaged_trial_is_named(file: str, content: str, made: MadeSession, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(made.folder, damaged)
    built = [t for t in read_trials(damaged) if t.purpose == AS_BUILT]
    for trial in built:
        (trial.folder / file).write_text(content)
    with pytest.raises(
        UserError, match=rf"the trial {re.escape(str(damaged))}\S+ (is damaged|cannot be read): "
    ) as told:
        render_html(made.report, damaged)
    assert any(t.sha256 in told.value.message for t in built)
    assert told.value.hint == "Remove its folder."


def test_what_was_only_foreseen_is_told_as_such(tmp_path: Path) -> None:
    made = make_session(tmp_path / "session", NODES, trials=2, foreseen=True)
    data = page_data(made.report, read_details(made.folder, made.report))
    assert data["foreseen"] == list(range(NODES))
    assert [data["graph"]["names"][p] for p in data["local"]["failed"]] == list(made.culprits)
    assert [i for i, rms in enumerate(data["propagated"]["rms"]) if rms is not None] == [NODES - 1]
