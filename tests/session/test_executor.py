"""Worker processes for real: whatever a backend does to its process costs one trial, never the session."""

from __future__ import annotations

import os
import re
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

from trtdebug.core.intervention import PinPrecision
from trtdebug.core.outcome import Signature
from trtdebug.session.executor import InProcess, WorkerProcess, WorkerProcesses
from trtdebug.session.journal import Journal
from trtdebug.session.limits import WorkerLimits

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

def hog():
    held = []
    while True:
        held.append(np.ones(1 << 22))  # 32 MiB
        time.sleep(0.01)

def no_memory():
    raise MemoryError("nothing left")

def abort():
    print("terminate called after throwing an instance of 'std::bad_alloc'", flush=True)
    os.abort()

def no_gpu_memory():
    raise BuildFailure("Error Code 1: Cuda Runtime (out of memory)")

poisoned = False

def poison():
    global poisoned
    poisoned = True

def poisonable():
    if poisoned:
        raise BuildFailure("Error Code 1: Cuda Runtime (an illegal memory access was encountered)")

def illegal():
    raise RuntimeError("CUDA Error: 700")

def once(trouble):
    """Makes trouble the first time only, also across processes."""
    def maybe():
        flag = os.path.join(os.path.dirname(__file__), trouble.__name__ + ".done")
        if not os.path.exists(flag):
            open(flag, "w").close()
            trouble()
    return maybe

def grandchild():
    """Dies, and leaves a process behind that has every descriptor of its own."""
    if (child := os.fork()) == 0:
        time.sleep(600)
    print("child", child, flush=True)
    crash()

def close_all():
    os.closerange(3, 100)
    time.sleep(600)

class Warm(Backend):
    """Its device says whether it was warmed."""
    pid = 0
    def warm_up(self):
        self.trouble()
        self.pid = os.getpid()
    def build(self, request):
        engine = Engine(lambda: None)
        engine.info = lambda: EngineInfo("warm", "1", device=f"{os.getpid()} warmed {self.pid == os.getpid()}")
        return engine

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
    for trouble in (hog, no_memory, abort, no_gpu_memory, poison, poisonable, illegal, grandchild, close_all):
        yield Backend(trouble.__name__, trouble)
    yield Backend("crash_once", once(crash))
    yield Warm("warm", lambda: None)
    yield Warm("warm_crash", crash)
    yield Warm("warm_hang", lambda: time.sleep(600))
    yield Warm("warm_fail", fail)
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


LIMITS = WorkerLimits(60, 1 << 32)


@pytest.fixture
def worker(extension, session):
    executor = WorkerProcess(session, LIMITS)
    yield executor
    executor.close()


def healthy(executor, repeat=0):
    """Its process id. A job that works."""
    outcome = executor.run(job(backend="healthy", repeat=repeat))
    assert outcome.status == "pass", outcome
    return int(outcome.engine.device)


def restarts(session):
    return [
        e["reason"] for e in Journal(session / "journal.jsonl").read() if e["event"] == "worker_restarted"
    ]


def test_a_worker_stays_warm(worker):
    assert healthy(worker) == healthy(worker, 1) != os.getpid()


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
    worker.limits = WorkerLimits(5, 1 << 32)
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


def test_a_worker_that_can_not_start_says_why(session, tmp_path):
    executor = WorkerProcess(session, LIMITS, environment={"PYTHONPATH": str(tmp_path)})
    (tmp_path / "cattrs.py").write_text("raise ImportError('a broken installation')")
    outcome = executor.run(job(backend="healthy"))
    executor.close()
    assert (outcome.status, outcome.signature) == ("untestable", Signature("crash"))
    assert "a broken installation" in outcome.log_tail


def test_a_job_larger_than_a_pipe_reaches_a_worker_that_is_still_starting(worker):
    names = tuple(f"node_{i}" for i in range(20_000))
    outcome = worker.run(job(backend="healthy", interventions=(PinPrecision(names),)))
    assert outcome.status == "pass"


# start ----------------------------------------------------------------------------------------------------


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
    executor = WorkerProcess(session, WorkerLimits(5, 1 << 32), backend=backend)
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


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_in_process_gives_the_same_answer(worker, session):
    inside = InProcess(session, {"healthy": FakeBackend()}).run(job(backend="healthy"))
    outside = worker.run(job(backend="healthy"))
    times = {"build_seconds": 0.0, "run_seconds": 0.0, "engine": None}
    assert replace(inside, **times) == replace(outside, **times)
