"""How workers start: at once, warm or not, with a spare one; and what happens when they do not."""

from __future__ import annotations

import time

import pytest
from fake_backend import job, store_samples
from trouble import LIMITS, X, alive, healthy, restarts, wait_until

from trtdebug.core.outcome import Signature
from trtdebug.session.executor import WorkerProcess
from trtdebug.session.limits import WorkerLimits


def test_a_worker_that_can_not_start_says_why(session, tmp_path):
    executor = WorkerProcess(session, LIMITS, environment={"PYTHONPATH": str(tmp_path)})
    (tmp_path / "cattrs.py").write_text("raise ImportError('a broken installation')")
    outcome = executor.run(job(backend="healthy"))
    executor.close()
    assert (outcome.status, outcome.signature) == ("untestable", Signature("crash"))
    assert "a broken installation" in outcome.log_tail


def test_start_returns_at_once_and_writes_nothing(extension, tmp_path):
    executor = WorkerProcess(tmp_path / "later", LIMITS, backend="warm")
    started = time.monotonic()
    executor.start(warm=True, spare=True)
    assert time.monotonic() - started < 0.2
    assert not (tmp_path / "later").exists()
    store_samples(tmp_path / "later", {"0": {"x": X, "y": X + 1}})
    assert executor.run(job(backend="warm")).engine.device.endswith("warmed True")
    executor.close()


def test_a_fresh_process_is_the_spare_one(extension, session):
    executor = WorkerProcess(session, LIMITS)
    executor.start(spare=True)
    pids = {executor._child.pid, executor._spare.pid}
    first = healthy(executor)
    fresh = executor.run(job(backend="healthy", repeat=1, fresh_process=True))
    assert {first, int(fresh.engine.device)} == pids
    assert not alive(first)
    again = executor.run(job(backend="healthy", repeat=2, fresh_process=True))
    assert int(again.engine.device) not in pids
    assert restarts(session) == []
    executor.close()


def test_a_process_that_did_nothing_yet_is_fresh(worker):
    worker.start()
    pid = worker._child.pid
    outcome = worker.run(job(backend="healthy", fresh_process=True))
    assert int(outcome.engine.device) == pid


@pytest.mark.parametrize("backend", ["warm_crash", "warm_hang", "warm_fail"])
def test_a_backend_that_does_not_get_warm_may_still_work(extension, session, backend, monkeypatch):
    monkeypatch.setattr("trtdebug.session.child._START", 1)
    executor = WorkerProcess(session, WorkerLimits(3, 1 << 32), backend=backend)
    executor.start(warm=True)
    outcome = executor.run(job(backend=backend))
    assert outcome.engine.device.endswith("warmed False")
    assert len(restarts(session)) == 1
    executor.close()


def test_a_worker_that_died_while_it_got_ready_is_replaced_by_one_that_does_not(extension, session):
    executor = WorkerProcess(session, LIMITS, backend="warm_fail")
    executor.start(warm=True)
    wait_until(lambda: executor._child.ended() is not None)
    assert executor.run(job(backend="warm_fail")).engine.device.endswith("warmed False")
    assert restarts(session) == ["the worker died while it got ready: ZeroDivisionError: in the backend"]
    executor.close()
