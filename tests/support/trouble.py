"""An extension whose backends misbehave, a kind each, and what their tests ask of workers."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from fake_backend import job

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
LIMITS = WorkerLimits(60, 1 << 32)


def install(place: Path) -> None:
    """The extension's module and dist-info, as pip would leave them."""
    info = place / "trtdebug_trouble-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "trtdebug_trouble.py").write_text(EXTENSION)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-trouble\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trtdebug]\ntrouble = trtdebug_trouble\n")


def healthy(executor, repeat=0):
    """Its process id. A job that works."""
    outcome = executor.run(job(backend="healthy", repeat=repeat))
    assert outcome.status == "pass", outcome
    return int(outcome.engine.device)


def restarts(session):
    return [
        e["reason"] for e in Journal(session / "journal.jsonl").read() if e["event"] == "worker_restarted"
    ]


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
