"""What breaks a worker is named, and the job tried again in a fresh one where that may help."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest
from fake_backend import job
from trouble import LIMITS, alive, healthy, restarts, wait_until

from trtdebug.core.outcome import Signature
from trtdebug.session.limits import WorkerLimits


@pytest.mark.parametrize(
    ("backend", "kind", "reason", "log"),
    [
        ("crash", "crash", "the worker died: SIGSEGV (segmentation fault)", "Segmentation fault"),
        ("exit", "crash", "the worker died: exit code 3", "building exit"),
        ("vanish", "crash", "the worker died: exit code 0", "building vanish"),
        ("grandchild", "crash", "the worker died: SIGSEGV (segmentation fault)", "Segmentation fault"),
        ("abort", "memory", "out of host memory: the worker died: SIGABRT (aborted)", "Fatal Python error"),
        ("no_memory", "memory", "out of host memory: MemoryError: nothing left", "nothing left"),
        (
            "no_gpu_memory",
            "memory",
            "out of GPU memory: Error Code 1: Cuda Runtime (out of memory)",
            "building",
        ),
        ("illegal", "crash", "CUDA error: RuntimeError: CUDA Error: 700", "CUDA Error: 700"),
    ],
)
def test_what_breaks_a_worker_is_tried_again_in_a_fresh_one(worker, session, backend, kind, reason, log):
    pid = healthy(worker)
    asked = job(backend=backend)
    outcome = worker.run(asked)
    assert (outcome.status, outcome.signature) == ("untestable", Signature(kind))
    assert outcome.reason == f"{reason}; and again in a fresh worker"
    assert log in outcome.log_tail
    assert len(outcome.log_tail.splitlines()) <= 20
    assert "building" in (session / "trials" / asked.sha256 / "log-first.txt").read_text()
    assert restarts(session) == [reason, reason]
    assert healthy(worker, 1) != pid
    assert not alive(pid)


def test_a_death_by_chance_costs_nothing(worker, session):
    outcome = worker.run(job(backend="crash_once"))
    assert outcome.status == "pass"
    assert restarts(session) == ["the worker died: SIGSEGV (segmentation fault)"]


def test_an_error_that_an_earlier_trial_left_behind_is_not_the_later_ones(worker, session):
    """CUDA: after an illegal access every call of the process fails."""
    assert worker.run(job(backend="poison")).status == "pass"
    assert worker.run(job(backend="poisonable")).status == "pass"
    assert [r.partition(":")[0] for r in restarts(session)] == ["CUDA error"]


def test_an_error_in_an_unused_worker_is_its_own(worker, session):
    outcome = worker.run(job(backend="no_gpu_memory"))
    assert outcome.reason == "out of GPU memory: Error Code 1: Cuda Runtime (out of memory)"
    assert len(restarts(session)) == 1


def test_a_hang_is_ended_and_the_next_job_works(worker, session):
    pid = healthy(worker)
    worker.limits = WorkerLimits(1, 1 << 32)
    started = time.monotonic()
    outcome = worker.run(job(backend="hang"))
    assert 1 <= time.monotonic() - started < 10
    assert (outcome.status, outcome.signature) == ("untestable", Signature("timeout"))
    assert outcome.reason == "no answer within 1 s (--timeout allows more)"
    assert outcome.log_tail == "building hang"
    assert not alive(pid)
    assert restarts(session) == [outcome.reason]
    worker.limits = LIMITS
    assert healthy(worker) != pid


def test_a_worker_that_closes_its_pipe_is_not_waited_for(worker, monkeypatch):
    monkeypatch.setattr("trtdebug.session.child._LAST_BREATH", 0.2)
    outcome = worker.run(job(backend="close_all"))
    assert outcome.reason.startswith("the worker died: it closed its answer pipe")
    healthy(worker)


def test_what_a_worker_started_ends_with_it(worker):
    tail = worker.run(job(backend="grandchild")).log_tail
    child = int(re.search(r"child (\d+)", tail)[1])
    wait_until(lambda: not alive(child))


def test_a_stopped_worker_is_a_hang(worker, monkeypatch):
    monkeypatch.setattr("trtdebug.session.child._START", 1)
    worker.limits = WorkerLimits(3, 1 << 32)
    os.kill(healthy(worker), signal.SIGSTOP)
    assert worker.run(job(backend="healthy", repeat=1)).status == "pass"  # it never took the job: tried again


def test_a_worker_that_allocates_without_end_is_ended(worker, session):
    pid = healthy(worker)
    worker.limits = WorkerLimits(60, 400 << 20)
    outcome = worker.run(job(backend="hog"))
    assert (outcome.status, outcome.signature) == ("untestable", Signature("memory"))
    assert re.fullmatch(
        r"out of host memory: the worker held \d+ MiB, more than 400 MiB \(--worker-memory allows more\)",
        restarts(session)[0],
    )
    assert "again in a fresh worker" in outcome.reason or len(restarts(session)) == 2
    assert not alive(pid)
    healthy(worker, 1)


def test_a_worker_killed_between_jobs_is_replaced(worker, session):
    pid = healthy(worker)
    os.kill(pid, signal.SIGKILL)
    assert healthy(worker, 1) != pid  # ... and the job that follows is not blamed
    assert "SIGKILL" in restarts(session)[0]


def test_an_interrupted_job_does_not_answer_for_the_next(worker, monkeypatch):
    pid = healthy(worker)
    with monkeypatch.context() as patch:
        patch.setattr("trtdebug.session.child.select.select", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            worker.run(job(backend="refuse"))
    assert healthy(worker, 1) != pid


def raise_interrupt(*_):
    raise KeyboardInterrupt
