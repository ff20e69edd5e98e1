"""Sessions on a Dask cluster of this machine: the same answer with 1 and 4 workers, and what a lost worker costs."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("distributed", reason="dask.distributed is not installed")

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests" / "support"))
import slow_backend
from command_line import events
from distributed import Client, LocalCluster
from fake_backend import job, store_samples
from in_process import trtdebug
from trtdebug_dask import trtdebug_executors

from trtdebug.core.errors import UserError
from trtdebug.graph.load import save_model
from trtdebug.plugins.types import Parallel
from trtdebug.session.session import Session

FAULTS = slow_backend.redundant(3, 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "redundant.onnx"
    save_model(FAULTS[0], path)
    return path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One worker at first; the extensions of this checkout are there, and `--candidate slow`."""
    site = tmp_path_factory.mktemp("site")
    environment = slow_backend.install(site)
    info = site / "trtdebug_dask-0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-dask\nVersion: 0.0\n")
    (info / "entry_points.txt").write_text("[trtdebug]\ndask = trtdebug_dask\n")
    with pytest.MonkeyPatch.context() as patch:
        paths = [*environment["PYTHONPATH"].split(os.pathsep), str(Path(__file__).resolve().parents[1])]
        for path in paths:
            patch.syspath_prepend(path)
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("TRTDEBUG_LOAD_PLUGINS", "trtdebug-slow,trtdebug-dask")
        with LocalCluster(
            n_workers=1, threads_per_worker=1, memory_limit=0, dashboard_address=":0"
        ) as started:
            patch.setenv("TRTDEBUG_DASK_ADDRESS", started.scheduler_address)
            yield started


@pytest.fixture
def four(cluster: LocalCluster) -> Iterator[Client]:
    """A client of the cluster, which has four workers now."""
    cluster.scale(4)
    with Client(cluster) as client:
        client.wait_for_workers(4, timeout=120)
        yield client


def diagnosis(model: Path, session: Path, *words: str) -> dict[str, Any]:
    done = trtdebug(
        "fix", model, "--fp16", "--candidate", "slow", "--session", session, "--json", "--quiet", *words
    )
    assert done.code == 1, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {
        k: found[k] for k in ("verdict", "signature", "culprits", "fixes", "findings", "unknown", "outputs")
    }


@pytest.fixture(scope="module")
def one(cluster: LocalCluster, model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The answer with one worker."""
    return diagnosis(model, tmp_path_factory.mktemp("one") / "s", "--executor", "dask")


def test_four_workers_say_what_one_says(
    one: dict[str, Any], four: Client, model: Path, tmp_path: Path
) -> None:
    crowd = diagnosis(model, tmp_path / "s", "--executor", "dask")
    assert {frozenset(c["nodes"]) for c in crowd["culprits"]} == FAULTS[1]
    assert crowd == one
    begun = [e["trial"] for e in events(tmp_path / "s") if e["event"] == "trial_started"]
    assert len(begun) == len(set(begun))
    scratch = {p.name for p in (tmp_path / "s" / "work").iterdir() if p.is_dir()}
    assert len(scratch) > 1, "trials ran in more than one process"


@pytest.fixture
def session(four: Client, model: Path, tmp_path: Path) -> Iterator[Session]:
    """Whose builds take two seconds."""
    folder = tmp_path / "s"
    x = np.random.default_rng(0).standard_normal((4, 16)).astype(np.float32)
    store_samples(folder, {"0": {"x": x}})
    (factory,) = trtdebug_executors()
    environment = {"TRTDEBUG_LOAD_PLUGINS": "trtdebug-slow", slow_backend.SECONDS: "2"}
    opened = Session(folder, factory.create(folder, 60, environment))
    yield opened
    opened.close()


def jobs(model: Path, count: int) -> list[Any]:
    return [job(backend="slow", model=str(model), expected=None, repeat=n) for n in range(count)]


def test_a_worker_killed_in_mid_trial_costs_one_retry(session: Session, four: Client, model: Path) -> None:
    assert isinstance(session.executor, Parallel)
    assert session.workers == 4
    wanted, finished = jobs(model, 4), []
    session.listeners.append(lambda job, outcome, cached: finished.append(job.repeat))
    pids = four.run(os.getpid)
    killed: list[str] = []

    def kill_one(started: float) -> None:
        while not killed and time.monotonic() - started < 30:
            busy = [w for w, tasks in four.processing().items() if tasks]
            running = list(session.folder.glob("trials/*/running.txt"))
            if len(busy) == 4 and len(running) == 4:
                trial = running[0]
                pid = int(trial.read_text().split()[-1])
                assert pid in pids.values()
                os.kill(pid, signal.SIGKILL)
                killed.append(trial.parent.name)
            time.sleep(0.05)

    import threading

    killer = threading.Thread(target=kill_one, args=(time.monotonic(),))
    killer.start()
    outcomes = session.run_all(wanted)
    killer.join()
    assert killed
    assert [o.status for o in outcomes] == ["pass"] * 4
    assert sorted(finished) == [0, 1, 2, 3]
    (replaced,) = [e for e in session.journal.read() if e["event"] == "worker_restarted"]
    assert replaced["trial"] == killed[0]
    assert replaced["reason"].startswith("the process that ran it was lost: ")
    assert not list(session.folder.glob("trials/*/running.txt"))


def test_the_workers_of_a_session_end_with_it(session: Session, four: Client, model: Path) -> None:
    def children(_: str = "") -> int:
        from trtdebug.session.limits import process_tree

        return len(process_tree(os.getpid())) - 1

    before = sum(four.run(children).values())
    session.run_all(jobs(model, 2))
    assert sum(four.run(children).values()) > before
    session.close()
    with Client(four.scheduler.address) as again:
        assert sum(again.run(children).values()) == before


def test_a_folder_that_the_cluster_does_not_see_is_refused(
    session: Session, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as on another host: the mark is written, and then it is not there
    monkeypatch.setattr(
        "trtdebug.session.pool.write_text", lambda path, text: path.parent.mkdir(parents=True)
    )
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
    with pytest.raises(UserError, match="does not see the session's folder") as refused:
        session.run_all(jobs(model, 1))
    assert "under the same paths" in refused.value.hint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gpus", "all"), "--gpus is of no use with --executor dask"),
        (("--workers", "3"), "has workers of its own"),
    ],
)
def test_options_that_the_cluster_has_no_use_for(
    cluster: LocalCluster, model: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = trtdebug("run", model, "--fp16", "--executor", "dask", "--session", tmp_path / "s", *words)
    assert done.code == 2
    assert said in done.stderr
    assert not (tmp_path / "s").exists()


def test_a_scheduler_that_is_not_there(
    cluster: LocalCluster, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRTDEBUG_DASK_ADDRESS", "tcp://127.0.0.1:9")
    monkeypatch.setattr("trtdebug_dask.executor._PATIENCE", 1.0)
    done = trtdebug(
        "run", model, "--fp16", "--candidate", "emulator", "--executor", "dask", "--session", tmp_path
    )
    assert done.code == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in done.stderr
