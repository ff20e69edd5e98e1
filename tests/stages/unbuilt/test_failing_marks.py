"""Marks that cannot be outputs together: the smallest set of them, in few builds."""

from __future__ import annotations

from pathlib import Path

import pytest
from marked_graphs import RefusesMarks, opened
from several_workers import with_workers
from unbuildable_graphs import planted_model, write

from trtdebug.core.build_error import BuildError
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.core.intervention import EVERY_TENSOR
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.debugger import Debugger
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.report.build import build_report
from trtdebug.report.text import render_text
from trtdebug.stages.unbuilt.piece_builds import build_errors
from trtdebug.stages.unbuilt.refused import why_refused


def diagnosed(
    backend: RefusesMarks, marks: tuple[str, ...], model: Path, folder: Path, workers: int = 1
) -> tuple[Diagnosis, int]:
    """What is said, and in how many rounds of builds."""
    ctx = opened(backend, marks, model, folder)
    session = with_workers(ctx, workers)
    diagnosis = Debugger(ctx, until="localise").run()
    assert "cannot build this model with these marks" in render_text(build_report(ctx.case, diagnosis))
    return diagnosis, session.rounds


@pytest.mark.parametrize("count", [1, 2, 3])
def test_of_all_marks_the_smallest_failing_set_is_left(count: int, tmp_path: Path) -> None:
    model = write(planted_model(3, 150, 1).model, tmp_path)
    tensors = [t for t in GraphIndex(load_model(model)).tensors if t.startswith("t_")]
    planted = frozenset(tensors[20 :: len(tensors) // 3][:count])
    backend = RefusesMarks(frozenset(), marks=frozenset({planted}))
    diagnosis, _ = diagnosed(backend, (EVERY_TENSOR,), model, tmp_path / "session")
    (culprit,) = diagnosis.culprits
    assert frozenset(culprit.tensors) == planted
    assert (culprit.kind, culprit.proven) == ("build", True)
    assert len(culprit.nodes) == count
    assert "ForeignNode" in culprit.evidence
    assert diagnosis.unknown == ()
    assert diagnosis.trials.total <= 12 * count + 4


@pytest.mark.parametrize("count", [1, 3])
def test_four_workers_say_what_one_says_in_half_the_rounds(count: int, tmp_path: Path) -> None:
    model = write(planted_model(3, 150, 1).model, tmp_path)
    tensors = [t for t in GraphIndex(load_model(model)).tensors if t.startswith("t_")]
    backend = RefusesMarks(frozenset(), marks=frozenset({frozenset(tensors[20::40][:count])}))
    alone, rounds = diagnosed(backend, (EVERY_TENSOR,), model, tmp_path / "1")
    crowd, fewer = diagnosed(backend, (EVERY_TENSOR,), model, tmp_path / "4", workers=4)
    assert (crowd.culprits, crowd.unknown) == (alone.culprits, alone.unknown)
    assert alone.trials.total == rounds
    assert crowd.trials.total <= 4 * fewer
    assert fewer <= 0.6 * rounds, (fewer, rounds)


def test_of_the_marks_that_were_named_too(tmp_path: Path) -> None:
    model = write(planted_model(5, 40, 1).model, tmp_path)
    tensors = GraphIndex(load_model(model)).tensors[:6]
    backend = RefusesMarks(frozenset(), marks=frozenset({frozenset(tensors[2:4])}))
    diagnosis, _ = diagnosed(backend, tensors, model, tmp_path / "session")
    assert [c.tensors for c in diagnosis.culprits] == [tensors[2:4]]


def test_marks_that_fail_otherwise_are_left_undecided(tmp_path: Path) -> None:
    model = write(planted_model(5, 40, 1).model, tmp_path)
    tensors = GraphIndex(load_model(model)).tensors[:6]
    backend = RefusesMarks(frozenset(), marks=frozenset({frozenset({tensors[1]})}), invalid=tensors[4])
    diagnosis, _ = diagnosed(backend, tensors, model, tmp_path / "session")
    assert [c.tensors for c in diagnosis.culprits] == [(tensors[1],)]
    assert "fail in another way" in diagnosis.unknown[-1]


def test_where_nearly_any_mark_will_do_one_is_named_and_the_others_are_told_of(tmp_path: Path) -> None:
    model = write(planted_model(5, 150, 1).model, tmp_path)
    tensors = [t for t in GraphIndex(load_model(model)).tensors if t.startswith("t_")]
    backend = RefusesMarks(frozenset(), marks=frozenset(frozenset({t}) for t in tensors[::2]))
    diagnosis, _ = diagnosed(backend, (EVERY_TENSOR,), model, tmp_path / "session")
    [culprit] = diagnosis.culprits
    assert culprit.proven
    assert [t for t in culprit.tensors if t in tensors[::2]] == list(culprit.tensors)
    assert len(culprit.tensors) == 1
    assert "there may be more such sets" in diagnosis.unknown[-1]
    assert diagnosis.trials.total <= 14


def test_where_a_worker_dies_of_marks_the_build_alone_is_tried_again_with_them(tmp_path: Path) -> None:
    model = write(planted_model(5, 40, 1).model, tmp_path)
    tensors = GraphIndex(load_model(model)).tensors[:2]
    backend = RefusesMarks(frozenset(), marks=frozenset({frozenset(tensors)}))
    ctx = opened(backend, tensors, model, tmp_path / "session")
    [error] = why_refused(ctx, [Outcome("untestable", Signature("crash"), "the worker died")])
    assert "ForeignNode" in error.message


def test_memory_that_was_not_there_says_nothing_of_the_model(tmp_path: Path) -> None:
    """The builder's words are there, and no node is looked for: another process may have had the memory."""
    model = write(planted_model(5, 40, 1).model, tmp_path)
    ctx = opened(RefusesMarks(frozenset()), (), model, tmp_path / "session")
    said = BuildError("build", "Error Code 1: Cuda Runtime (out of memory)")
    full = Outcome(
        "untestable", Signature("memory"), f"out of GPU memory: {said.message}", build_errors=(said,)
    )
    assert build_errors(full) == ()
    assert why_refused(ctx, [full, full]) == ()
