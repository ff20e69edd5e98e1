"""Worker processes for real: whatever a backend does to its process costs one trial, never the session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_backend import FakeBackend, job, store_samples

from trtdebug.core.outcome import Signature
from trtdebug.oracle.metrics import cosine, sqnr
from trtdebug.session.executor import InProcess, WorkerProcess

EXTENSION = '''
"""An extension whose backends misbehave, a kind each."""
import os, signal, sys, time
import numpy as np
from trtdebug.backends.base import Availability
from trtdebug.core.errors import BuildFailure
from trtdebug.core.outcome import EngineInfo
from trtdebug.plugins.spec import hookimpl

print("garbage at import")

class Engine:
    def __init__(self, trouble):
        self.trouble = trouble
    def run(self, feeds):
        self.trouble()
        return {"y": np.asarray(feeds["x"]) + 1}
    def info(self):
        return EngineInfo("trouble", "1", device=str(os.getpid()))
    def close(self):
        pass

class Backend:
    summary, realises, deterministic = "trouble", frozenset(), True
    def __init__(self, name, trouble):
        self.name, self.trouble = name, trouble
    def probe(self):
        return Availability(True)
    def build(self, request):
        print("building", self.name)
        return Engine(self.trouble)

def crash():
    os.kill(os.getpid(), signal.SIGSEGV)

def noise():
    print('{"status": "pass"}')
    sys.stdout.buffer.write(b"\\xff\\xfe not text\\n" * 1000)
    sys.stdout.flush()
    os.system("echo from a child")

def refuse():
    raise BuildFailure("no kernel", node="conv")

def fail():
    raise ZeroDivisionError("in the backend")

@hookimpl
def trtdebug_backends():
    yield Backend("healthy", lambda: None)
    yield Backend("crash", crash)
    yield Backend("exit", lambda: sys.exit(3))
    yield Backend("vanish", lambda: os._exit(0))
    yield Backend("hang", lambda: time.sleep(600))
    yield Backend("noise", noise)
    yield Backend("fail", fail)
    yield Backend("refuse", refuse)
'''

X = np.array([1, 2, 3], np.float32)


@pytest.fixture
def extension(tmp_path, monkeypatch):
    """The extension's module and dist-info on the path, as pip would leave them."""
    place = tmp_path / "site"
    info = place / "trtdebug_trouble-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "trtdebug_trouble.py").write_text(EXTENSION)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-trouble\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trtdebug]\ntrouble = trtdebug_trouble\n")
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("TRTDEBUG_LOAD_PLUGINS", "trtdebug-trouble")
    return place


@pytest.fixture
def session(tmp_path):
    folder = tmp_path / "session"
    store_samples(folder, {"0": {"x": X, "y": X + 1}})
    return folder


@pytest.fixture
def worker(extension, session):
    executor = WorkerProcess(session, timeout=60)
    yield executor
    executor.close()


def healthy(executor, repeat=0):
    outcome = executor.run(job(backend="healthy", repeat=repeat))
    assert outcome.status == "pass", outcome
    return outcome.engine.device


def test_a_worker_stays_warm(worker):
    assert healthy(worker) == healthy(worker, 1) != str(os.getpid())


@pytest.mark.parametrize(
    ("backend", "kind", "reason", "log"),
    [
        ("crash", "crash", "the worker died: SIGSEGV", "Segmentation fault"),
        ("exit", "crash", "the worker died: exit code 3", "building exit"),
        ("vanish", "crash", "the worker died: exit code 0", "building vanish"),
        ("fail", "crash", "ZeroDivisionError: in the backend", "in the backend"),
        ("refuse", "build-failure", "no kernel", "building refuse"),
    ],
)
def test_trouble_is_untestable_and_the_next_job_works(worker, backend, kind, reason, log):
    healthy(worker)
    outcome = worker.run(job(backend=backend))
    assert (outcome.status, outcome.signature, outcome.reason) == ("untestable", Signature(kind), reason)
    assert log in outcome.log_tail
    assert outcome.log_tail.startswith("building") or len(outcome.log_tail.splitlines()) == 20
    healthy(worker, 1)


def test_a_hang_is_ended_and_the_next_job_works(worker):
    pid = int(healthy(worker))
    worker.timeout = 2
    started = time.monotonic()
    outcome = worker.run(job(backend="hang"))
    assert 2 <= time.monotonic() - started < 10
    assert (outcome.status, outcome.signature) == ("untestable", Signature("timeout"))
    assert outcome.reason == "no answer within 2 s"
    assert outcome.log_tail == "building hang"
    assert not alive(pid)
    worker.timeout = 60
    assert int(healthy(worker)) != pid


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


def test_a_worker_killed_between_jobs_is_replaced(worker):
    pid = int(healthy(worker))
    os.kill(pid, signal.SIGKILL)
    assert int(healthy(worker, 1)) != pid  # ... and the job that follows is not blamed


def test_an_interrupted_job_does_not_answer_for_the_next(worker, monkeypatch):
    pid = int(healthy(worker))
    with monkeypatch.context() as patch:
        patch.setattr(worker, "_receive", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            worker.run(job(backend="refuse"))
    assert int(healthy(worker, 1)) != pid


def raise_interrupt():
    raise KeyboardInterrupt


def test_a_worker_that_can_not_start_says_why(session, tmp_path):
    executor = WorkerProcess(session, timeout=60, environment={"PYTHONPATH": str(tmp_path)})
    (tmp_path / "cattrs.py").write_text("raise ImportError('a broken installation')")
    outcome = executor.run(job(backend="healthy"))
    executor.close()
    assert (outcome.status, outcome.signature) == ("untestable", Signature("crash"))
    assert "a broken installation" in outcome.log_tail


def test_the_environment_reaches_the_worker(extension, session):
    executor = WorkerProcess(session, timeout=60, environment={"TRTDEBUG_NO_PLUGINS": "1"})
    assert "healthy" in executor.run(job(backend="healthy")).reason  # no such backend there
    executor.close()


def test_close_ends_the_worker_and_leaves_no_descriptor(extension, session):
    before = len(os.listdir("/proc/self/fd"))
    executor = WorkerProcess(session, timeout=60)
    pid = int(healthy(executor))
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
        executor = WorkerProcess(Path({str(session)!r}), timeout=60)
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
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_in_process_gives_the_same_answer(worker, session):
    metrics = {"cosine": cosine, "sqnr_db": sqnr}
    inside = InProcess(session, {"healthy": FakeBackend()}, metrics).run(job(backend="healthy"))
    outside = worker.run(job(backend="healthy"))
    times = {"build_seconds": 0.0, "run_seconds": 0.0, "engine": None}
    assert replace(inside, **times) == replace(outside, **times)
