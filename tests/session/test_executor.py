"""Worker processes for real: whatever a backend does to its process costs one trial, never the session."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fake_backend import FakeBackend, job
from trouble import LIMITS, alive, healthy, restarts, wait_until

from trtdebug.core.intervention import PinPrecision
from trtdebug.core.outcome import Signature
from trtdebug.session.executor import InProcess, WorkerProcess, WorkerProcesses


def test_a_worker_stays_warm(worker):
    assert healthy(worker) == healthy(worker, 1) != os.getpid()


@pytest.mark.parametrize(
    ("backend", "kind", "reason", "log"),
    [
        ("fail", "crash", "ZeroDivisionError: in the backend", "in the backend"),
        ("refuse", "build-failure", "no kernel", "building refuse"),
    ],
)
def test_what_a_backend_raises_breaks_no_worker(worker, session, backend, kind, reason, log):
    pid = healthy(worker)
    outcome = worker.run(job(backend=backend))
    assert (outcome.status, outcome.signature, outcome.reason) == ("untestable", Signature(kind), reason)
    assert log in outcome.log_tail
    assert healthy(worker, 1) == pid
    assert restarts(session) == []


def test_garbage_on_stdout_goes_to_the_log_and_harms_nothing(worker, session):
    noisy = job(backend="noise")
    outcome = worker.run(noisy)
    assert (outcome.status, outcome.log_tail) == ("pass", "")
    log = (session / "trials" / noisy.sha256 / "log.txt").read_bytes()
    assert log.startswith(b'building noise\n{"status": "pass"}\n')
    assert log.endswith(b"from a child\n")
    healthy(worker)


def test_only_the_end_of_a_long_log_is_kept(worker, session):
    outcome = worker.run(job(backend="fail"))
    assert "Traceback" in outcome.log_tail
    assert outcome.log_tail.endswith("ZeroDivisionError: in the backend")
    assert len(outcome.log_tail.splitlines()) <= 20


def test_an_unknown_backend_is_untestable(worker):
    outcome = worker.run(job(backend="nowhere"))
    assert outcome.status == "untestable"
    assert "nowhere" in outcome.reason
    healthy(worker)


def test_a_job_larger_than_a_pipe_reaches_a_worker_that_is_still_starting(worker):
    names = tuple(f"node_{i}" for i in range(20_000))
    outcome = worker.run(job(backend="healthy", interventions=(PinPrecision(names),)))
    assert outcome.status == "pass"


def test_backends_do_not_share_a_process(extension, session):
    executor = WorkerProcesses(session, LIMITS)
    executor.start("healthy", "warm")
    reference = healthy(executor)
    warm = executor.run(job(backend="warm")).engine.device
    assert warm.endswith("warmed True")
    assert str(reference) not in warm
    assert "SIGSEGV" in executor.run(job(backend="crash")).reason
    assert healthy(executor, 1) == reference
    assert executor.run(job(backend="warm", repeat=1)).engine.device == warm
    executor.close()
    assert not alive(reference)


def test_the_environment_reaches_the_worker(extension, session):
    executor = WorkerProcess(session, LIMITS, environment={"TRTDEBUG_NO_PLUGINS": "1"})
    assert "healthy" in executor.run(job(backend="healthy")).reason  # no such backend there
    executor.close()


def test_close_ends_the_worker_and_leaves_no_descriptor(extension, session):
    before = len(os.listdir("/proc/self/fd"))
    executor = WorkerProcess(session, LIMITS)
    pid = healthy(executor)
    executor.run(job(backend="crash"))
    executor.run(job(backend="vanish"))
    executor.close()
    executor.close()
    assert not alive(pid)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does this on Linux only")
@pytest.mark.parametrize("backend", ["healthy", "hang"])
def test_a_worker_dies_with_its_parent(extension, session, backend):
    """Also in the middle of a job, where it doesn't look at its stdin."""
    parent = textwrap.dedent(
        f"""
        import sys, threading
        from pathlib import Path
        sys.path[:0] = {[str(extension), str(Path(__file__).parents[1] / "support")]!r}
        from fake_backend import job
        from trtdebug.session.executor import WorkerProcess
        from trtdebug.session.limits import WorkerLimits
        executor = WorkerProcess(Path({str(session)!r}), WorkerLimits(60, 1 << 32))
        print(executor.run(job(backend="healthy")).engine.device, flush=True)
        executor.run(job(backend={backend!r}, repeat=1))
        executor.run(job(backend="hang", repeat=2))
        """
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        time.sleep(0.2)
        assert alive(pid)
        process.kill()
    wait_until(lambda: not alive(pid))


def test_in_process_gives_the_same_answer(worker, session):
    inside = InProcess(session, {"healthy": FakeBackend()}).run(job(backend="healthy"))
    outside = worker.run(job(backend="healthy"))
    times = {"build_seconds": 0.0, "run_seconds": 0.0, "engine": None}
    assert replace(inside, **times) == replace(outside, **times)
