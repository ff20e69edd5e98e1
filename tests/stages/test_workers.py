"""The answer does not depend on the number of workers, and no trial is done twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contexts import plugins_with
from planted_graphs import BrokenKernels, planted_graph
from several_workers import Threads
from slow_backend import SlowBackend, redundant

from trtdebug.backends.base import Backend
from trtdebug.core.case import BuildOptions
from trtdebug.core.diagnosis import Diagnosis
from trtdebug.debugger import Debugger
from trtdebug.graph.load import save_model
from trtdebug.session.executor import InProcess
from trtdebug.session.session import Session
from trtdebug.stages.context import Context
from trtdebug.stages.opening.preflight import CaseRequest, prepare, store_samples


def diagnose(model: Any, backend: Backend, folder: Path, workers: int) -> tuple[Diagnosis, Session, Threads]:
    folder.mkdir()
    save_model(model, folder / "model.onnx")
    np.savez(folder / "inputs.npz", x=np.random.default_rng(1).standard_normal((4, 16)).astype(np.float32))
    plugins = plugins_with(backend)
    request = CaseRequest(
        folder / "model.onnx", BuildOptions("fp16"), candidate=backend.name, inputs=folder / "inputs.npz"
    )
    prepared = prepare(request, plugins)
    executor = Threads(InProcess(folder / "session", plugins.backends()), workers)
    session = Session(folder / "session", executor)
    store_samples(prepared, session.tensors)
    session.store_case(prepared.case)
    diagnosis = Debugger(Context(session, prepared.case, plugins), until="fix").run()
    session.close()
    return diagnosis, session, executor


def said(diagnosis: Diagnosis) -> dict[str, Any]:
    """All of it but times and counts."""
    data = asdict(diagnosis)
    return {k: v for k, v in data.items() if k not in ("stages", "trials", "fix_folder")}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], tuple[Diagnosis, Session, Threads]]:
    """Three pairs of nodes that are wrong together, found by this many workers."""
    folder, model = tmp_path_factory.mktemp("pairs"), redundant(5, 3)[0]
    done = {n: diagnose(model, SlowBackend(), folder / str(n), n) for n in (1, 2, 4)}
    return done.__getitem__


def test_a_search_finds_the_same_with_any_number_of_workers(pairs: Any) -> None:
    planted = redundant(5, 3)[1]
    for workers in (1, 2, 4):
        diagnosis, _, executor = pairs(workers)
        assert {frozenset(c.nodes) for c in diagnosis.culprits} == planted
        assert diagnosis.fixes[-1].verified
        assert (executor.most > 1) == (workers > 1)
    assert said(pairs(1)[0]) == said(pairs(2)[0]) == said(pairs(4)[0])


def test_every_trial_is_begun_and_finished_once(pairs: Any) -> None:
    for workers in (1, 4):
        _, session, _ = pairs(workers)
        events = list(session.journal.read())
        begun, finished = (
            Counter(e["trial"] for e in events if e["event"] == kind)
            for kind in ("trial_started", "trial_finished")
        )
        assert begun == finished
        assert set(begun.values()) == {1}


@pytest.mark.parametrize("seed", range(2))
def test_planted_nodes_are_found_by_four_workers_as_by_one(seed: int, tmp_path: Path) -> None:
    planted = planted_graph(seed, 40, 2)
    backend = BrokenKernels(planted.wrong)
    alone, crowd = (diagnose(planted.model, backend, tmp_path / str(n), n)[0] for n in (1, 4))
    assert said(alone) == said(crowd)
    assert {n for c in crowd.culprits for n in c.nodes} == planted.culprits
