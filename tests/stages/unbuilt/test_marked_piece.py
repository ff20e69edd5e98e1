"""The smallest piece of a model that is not built with its marks."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from marked_graphs import RefusesMarks, opened, said_of
from several_workers import with_workers
from unbuildable_graphs import planted_model, write

from trtdebug.core.build_error import BuildError
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.stages.unbuilt.marked_piece import fails_as_outputs, marked_piece
from trtdebug.stages.unbuilt.unbuildable import Unbuildable


def found(backend: RefusesMarks, marks: tuple[str, ...], model: Path, folder: Path) -> Unbuildable:
    ctx = opened(backend, marks, model, folder)
    piece = marked_piece(ctx, marks, BuildError("build", said_of(set(marks)), "10: Internal Error"))
    assert piece.marks == marks
    assert fails_as_outputs(ctx, piece) == (set(marks) <= set(GraphIndex(piece.piece).tensors))
    return piece


@pytest.mark.parametrize("seed", range(4))
def test_nodes_that_it_takes_and_who_writes_and_reads_the_marks_are_left(seed: int, tmp_path: Path) -> None:
    model = write(planted_model(seed, 60, 1).model, tmp_path)
    index = GraphIndex(load_model(model))
    tensors = [t for t in index.tensors if t.startswith("t_") and t not in index.outputs]
    marks = (tensors[20], tensors[30])
    needed = frozenset(index.consumers[tensors[25]][:1])
    backend = RefusesMarks(frozenset(), marks=frozenset({frozenset(marks)}), only_with=needed)
    piece = found(backend, marks, model, tmp_path / "session")
    assert needed < set(piece.nodes)
    assert {index.producer[t] for t in marks} < set(piece.nodes)
    assert not set(marks) <= set(GraphIndex(piece.piece).outputs)  # else it would fail without being marked
    assert len(piece.nodes) <= 12
    assert set(GraphIndex(piece.piece).order) == {*piece.nodes, *piece.needs}


def test_four_workers_find_what_one_finds_in_fewer_rounds(tmp_path: Path) -> None:
    model = write(planted_model(1, 60, 1).model, tmp_path)
    index = GraphIndex(load_model(model))
    tensors = [t for t in index.tensors if t.startswith("t_") and t not in index.outputs]
    marks = (tensors[20], tensors[30])
    backend = RefusesMarks(frozenset(), marks=frozenset({frozenset(marks)}))
    error = BuildError("build", said_of(set(marks)), "10: Internal Error")
    found, rounds = [], []
    for workers in (1, 4):
        ctx = opened(backend, marks, model, tmp_path / str(workers))
        session = with_workers(ctx, workers)
        found.append(marked_piece(ctx, marks, error).nodes)
        rounds.append(session.rounds)
    assert found[0] == found[1]
    assert rounds[1] < rounds[0], rounds


def test_it_is_the_whole_model_for_tensors_that_no_onnx_model_has(tmp_path: Path) -> None:
    model = write(planted_model(1, 20, 1).model, tmp_path)
    marks = ("(Unnamed Layer* 5) [Shuffle]_output",)
    backend = OwnsTensors(frozenset(), marks=frozenset({frozenset(marks)}))
    assert len(found(backend, marks, model, tmp_path / "session").nodes) > 15


def test_it_is_the_whole_model_where_no_piece_fails_so(tmp_path: Path) -> None:
    model = write(planted_model(2, 20, 1).model, tmp_path)
    tensor = next(t for t in GraphIndex(load_model(model)).tensors if t.startswith("t_"))
    backend = RefusesMarks(frozenset(), marks=frozenset({frozenset({tensor})}), only_with=frozenset({"none"}))
    ctx = opened(backend, (tensor,), model, tmp_path / "session")
    piece = marked_piece(ctx, (tensor,), BuildError("build", said_of({tensor})))
    assert len(piece.piece.graph.node) == len(onnx.load(model).graph.node)
    assert not fails_as_outputs(ctx, piece)


class OwnsTensors(RefusesMarks):
    owns_tensors = True
