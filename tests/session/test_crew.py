"""Several worker processes: each has a place of its own, and what happens to one does not touch the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fake_backend import job, store_samples

from trtdebug.core.errors import UserError
from trtdebug.session import devices, executors
from trtdebug.session.executor import Crew, WorkerProcesses
from trtdebug.session.journal import Journal
from trtdebug.session.limits import default_memory
from trtdebug.session.session import Session

EXTENSION = '''
"""Backends that tell where they are, and misbehave."""
import os, signal, time
import numpy as np
from trtdebug.backends.base import Availability
from trtdebug.core.outcome import EngineInfo
from trtdebug.plugins.spec import hookimpl

class Engine:
    def run(self, feeds):
        return {"y": np.asarray(feeds["x"]) + 1}
    def info(self):
        told = (str(os.getpid()), os.environ.get("CUDA_VISIBLE_DEVICES", "-"), self.workdir)
        return EngineInfo("where", "1", device=" ".join(told))
    def close(self):
        pass

class Backend:
    summary, realises, deterministic = "where", frozenset(), True
    def __init__(self, name, trouble):
        self.name, self.trouble = name, trouble
    def probe(self):
        return Availability(True)
    def build(self, request):
        self.trouble()
        engine = Engine()
        engine.workdir = request.workdir.name
        return engine

def die_once():
    flag = os.path.join(os.path.dirname(__file__), "died")
    if not os.path.exists(flag):
        open(flag, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)

@hookimpl
def trtdebug_backends():
    yield Backend("where", lambda: time.sleep(0.2))
    yield Backend("die_once", die_once)
    yield Backend("hang", lambda: time.sleep(600))
'''


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """With three workers, as on three GPUs."""
    site = tmp_path / "site"
    info = site / "trtdebug_where-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "trtdebug_where.py").write_text(EXTENSION)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-where\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trtdebug]\nwhere = trtdebug_where\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("TRTDEBUG_LOAD_PLUGINS", "trtdebug-where")
    monkeypatch.setattr(devices, "device_count", lambda: 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    folder = tmp_path / "session"
    x = np.arange(3, dtype=np.float32)
    store_samples(folder, {"0": {"x": x, "y": x + 1}})
    (factory,) = executors.trtdebug_executors()
    opened = Session(folder, factory.create(folder, 60, {"TRTDEBUG_GPUS": "all"}))
    yield opened
    opened.close()


def where(outcome) -> SimpleNamespace:
    pid, gpu, workdir = outcome.engine.device.split()
    return SimpleNamespace(pid=int(pid), gpu=gpu, workdir=workdir)


def test_each_worker_has_its_gpu_its_folder_and_its_share_of_the_memory(session: Session) -> None:
    found = [where(o) for o in session.run_all([job(backend="where", repeat=n) for n in range(6)])]
    assert {(w.gpu, w.workdir) for w in found} == {("4", "work"), ("5", "worker1"), ("6", "worker2")}
    assert len({w.pid for w in found}) == 3
    alone = [where(session.run(job(backend="where", repeat=n))) for n in (7, 8)]
    assert [w.gpu for w in alone] == ["4", "4"]
    crew = session.executor
    assert isinstance(crew, Crew)
    assert sum(m.limits.memory for m in crew.members) <= default_memory()


def test_a_worker_that_dies_costs_one_retry_and_the_others_nothing(session: Session) -> None:
    wanted = [job(backend=name) for name in ("where", "die_once", "where")]
    outcomes = session.run_all([*wanted[:2], job(backend="where", repeat=1)])
    assert [o.status for o in outcomes] == ["pass"] * 3
    restarts = [
        e for e in Journal(session.folder / "journal.jsonl").read() if e["event"] == "worker_restarted"
    ]
    assert [(e["trial"], e["backend"]) for e in restarts] == [(wanted[1].sha256, "die_once")]


def test_closing_ends_what_is_being_done(session: Session) -> None:
    crew = session.executor
    assert isinstance(crew, Crew)
    assert session.run(job(backend="where")).status == "pass"
    futures = [crew.submit(job(backend="hang", repeat=number)) for number in range(5)]
    time.sleep(0.5)
    started = time.monotonic()
    session.close()
    assert time.monotonic() - started < 20
    assert all(f.done() for f in futures)
    assert not any(e["event"] == "worker_restarted" for e in session.journal.read())


@pytest.mark.parametrize(
    ("visible", "text", "chosen"),
    [
        (None, "0", ("0",)),
        (None, "2,0", ("2", "0")),
        (None, "all", ("0", "1", "2")),
        ("5,GPU-1b,7,9", "1", ("GPU-1b",)),
        ("5,GPU-1b,7,9", "all", ("5", "GPU-1b", "7")),
    ],
)
def test_gpus_are_counted_as_cuda_does(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, text: str, chosen: tuple[str, ...]
) -> None:
    monkeypatch.setattr(devices, "device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.chosen_gpus(text) == chosen


@pytest.mark.parametrize(
    ("count", "text", "words"),
    [
        (3, "3", "there is no GPU 3: CUDA sees GPUs 0 to 2 here"),
        (1, "0,1", "there is no GPU 1: CUDA sees only GPU 0 here"),
        (0, "0", "CUDA sees no GPU here"),
        (0, "all", "CUDA sees no GPU here"),
        (3, "0,0", "GPU 0 twice"),
        (3, "0-2", "--gpus takes numbers"),
        (3, "", "--gpus takes numbers"),
    ],
)
def test_gpus_that_do_not_exist(monkeypatch: pytest.MonkeyPatch, count: int, text: str, words: str) -> None:
    monkeypatch.setattr(devices, "device_count", lambda: count)
    with pytest.raises(UserError, match=words):
        devices.chosen_gpus(text)


def test_one_worker_is_no_crew(tmp_path: Path) -> None:
    (factory,) = executors.trtdebug_executors()
    assert isinstance(factory.create(tmp_path, 60, {}), WorkerProcesses)
    assert isinstance(factory.create(tmp_path, 60, {"TRTDEBUG_WORKERS": "1"}), WorkerProcesses)
    assert isinstance(factory.create(tmp_path, 60, {"TRTDEBUG_WORKERS": "2"}), Crew)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"TRTDEBUG_WORKERS": "0"}, "at least 1"),
        ({"TRTDEBUG_WORKERS": "many"}, "at least 1"),
        ({"TRTDEBUG_WORKERS": "2", "TRTDEBUG_GPUS": "0"}, "exclude each other"),
    ],
)
def test_numbers_of_workers_that_are_none(environment: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        devices.own_environments(environment)
