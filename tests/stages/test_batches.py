"""Every tensor compared in bounded memory: as in one go."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from cases import open_case
from in_process import jobs_run_here, trtdebug
from planted_graphs import planted_graph

from trtdebug.backends import ort_sessions
from trtdebug.backends.batches import split
from trtdebug.core.jsonable import to_data
from trtdebug.core.outcome import Outcome, Signature, TensorError
from trtdebug.graph.load import save_model
from trtdebug.session.job import TensorRef
from trtdebug.stages.observing import propagate as propagating
from trtdebug.stages.observing.propagate import joined, propagate
from trtdebug.stages.observing.table import layer_table

SIZES = [1, 1000]
"""Bytes: a batch for each tensor, and one for every few of them."""


def case(tmp_path, name, **request):
    """16 healthy nodes in chains, branches and residuals, of 256 bytes and more each."""
    folder = tmp_path / name
    folder.mkdir()
    return open_case(planted_graph(4, 14, 0).model, folder, "fp16", **request)


@pytest.fixture(scope="module")
def in_one_go(tmp_path_factory):
    ctx = case(tmp_path_factory.mktemp("batches"), "whole")
    return ctx, propagate(ctx)


@pytest.mark.parametrize("size", SIZES)
def test_the_reference_records_the_same(tmp_path, in_one_go, size):
    whole, _ = in_one_go
    ctx = case(tmp_path, "batches", max_memory=size)
    ctx.need_reference(ctx.index.tensors)
    for tensor in ctx.index.tensors:
        ours, theirs = (c.session.tensors.get("s0", TensorRef(tensor)) for c in (ctx, whole))
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("size", SIZES)
def test_a_candidate_that_streams_is_built_once(tmp_path, in_one_go, size):
    ctx = case(tmp_path, "batches", max_memory=size)
    assert propagate(ctx).errors == in_one_go[1].errors
    assert ctx.session.counts.builds == 1


@pytest.mark.parametrize("size", SIZES)
def test_another_candidate_is_built_once_a_batch(tmp_path, in_one_go, size, monkeypatch):
    monkeypatch.setattr(propagating, "BoundsMemory", ())  # no candidate is one
    ctx = case(tmp_path, "batches", max_memory=size)
    found = propagate(ctx)
    assert found.errors == in_one_go[1].errors
    assert (found.outcome.status, found.outcome.reason) == ("pass", "")
    sizes = [ctx.session.tensors.get("s0", TensorRef(t)).nbytes for t in ctx.index.tensors]
    assert ctx.session.counts.total == len(split(ctx.index.tensors, sizes, size)) > 3


def test_without_a_limit_it_is_built_once(tmp_path, monkeypatch):
    monkeypatch.setattr(propagating, "BoundsMemory", ())  # no candidate is one
    ctx = case(tmp_path, "whole")
    propagate(ctx)
    assert ctx.session.counts.builds == 1


def test_the_isolated_nodes_are_streamed_too(tmp_path, monkeypatch):
    """The layer table observes each node by itself, all in one model."""
    opened = []
    part = ort_sessions.Sessions.part
    monkeypatch.setattr(
        ort_sessions.Sessions,
        "part",
        lambda s, outputs, *more, **given: opened.append(len(outputs)) or part(s, outputs, *more, **given),
    )
    whole, limited = (layer_table(case(tmp_path, n, max_memory=m)) for n, m in (("whole", None), ("one", 1)))
    assert to_data(whole.rows) == to_data(limited.rows)
    assert any(row.local for row in limited.rows)
    assert opened.count(1) >= 2 * len(limited.rows) - 1  # the output itself was recorded before


def test_what_changes_no_result_changes_no_hash(tmp_path):
    one, other = case(tmp_path, "a"), case(tmp_path, "b", max_memory=1)
    for make in ("candidate_job", "reference_job"):
        arguments = ["marked"] if make == "candidate_job" else []
        assert getattr(one, make)(*arguments).sha256 == getattr(other, make)(*arguments).sha256
    assert replace(one.case, model=other.case.model) == other.case


def error(tensor, status, rms=0.0):
    return TensorError(
        tensor, status, rms_rel=rms, kind="mismatch" if status == "fail" else None, elements=1, compared=1
    )


def test_joined_outcomes_keep_the_worst_of_what_was_seen_twice():
    passed = Outcome("pass", tensors=(error("y", "pass"), error("a", "pass")), build_seconds=1)
    failed = Outcome(
        "fail", Signature("mismatch", ("y",)), tensors=(error("y", "fail", 1.0),), build_seconds=2
    )
    found = joined([passed, failed])
    assert (found.status, found.signature, found.build_seconds) == ("fail", Signature("mismatch", ("y",)), 3)
    assert [(e.tensor, e.status) for e in found.tensors] == [("y", "fail"), ("a", "pass")]


def test_a_batch_that_could_not_be_built_leaves_the_whole_unknown():
    passed = Outcome("pass", tensors=(error("y", "pass"),))
    broken = Outcome("untestable", Signature("build-failure"), "no kernel")
    found = joined([passed, broken])
    assert (found.status, found.signature) == ("untestable", Signature("build-failure"))
    assert found.reason == "1 of 2 batches of tensors could not be observed: no kernel"
    assert [e.tensor for e in found.tensors] == ["y"]


def test_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_model(planted_graph(0, 40, 2).model, tmp_path / "m.onnx")
    line = ["compare", "m.onnx", "--fp16", "--candidate", "emulator", "--json", "--quiet", "--session"]
    with jobs_run_here():
        whole = trtdebug(*line, "s")
        limited = trtdebug(*line, "t", "--max-memory", "1KiB")
    assert limited.code == whole.code, limited.stderr
    assert json.loads(limited.stdout) == json.loads(whole.stdout)
    cached = trtdebug(*line, "s", "--max-memory", "2GB")
    assert json.loads(cached.stdout) == json.loads(whole.stdout)
    assert "trial_started" not in (tmp_path / "s" / "journal.jsonl").read_text().rpartition('"opened"')[2]
    refused = trtdebug(*line, "u", "--max-memory", "much")
    assert refused.code == 2
    assert "'much' is no size" in " ".join(refused.stderr.split())
