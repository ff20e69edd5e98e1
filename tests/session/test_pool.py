"""An executor over a pool of others: jobs go there as texts, and what is lost with a process is tried once more."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from fake_backend import job, store_samples
from onnx import TensorProto, helper

from trtdebug.core.errors import UserError
from trtdebug.core.jsonable import dumps
from trtdebug.core.outcome import Signature
from trtdebug.session import outpost
from trtdebug.session.job import Job
from trtdebug.session.outpost import Look, look
from trtdebug.session.pool import Pooled
from trtdebug.session.session import Session

PAGE = Path(__file__).resolve().parents[2] / "docs" / "executors.md"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """y = -x."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"], "neg")], "g", values[:1], values[1:])
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    x = np.arange(3, dtype=np.float32)
    store_samples(tmp_path / "s", {"0": {"x": x, "y": -x}})
    return path


def jobs(model: Path, count: int) -> list[Job]:
    return [job(backend="emulator", model=str(model), repeat=number) for number in range(count)]


class Losing:
    """A pool that loses as many jobs as it is told to, each with its process."""

    def __init__(self, losses: int) -> None:
        self.threads, self.losses = ThreadPoolExecutor(2), losses

    def submit(self, function: Callable[[str], str], text: str) -> Future[str]:
        if function is outpost.run_job and self.losses:
            self.losses -= 1
            future: Future[str] = Future()
            future.set_exception(EOFError("the process is gone"))
            return future
        return self.threads.submit(function, text)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[Any], Session]]:
    """A session over a pool."""
    begun: list[Session] = []

    def _begin(pool: Any) -> Session:
        begun.append(Session(tmp_path / "s", Pooled(pool, 2, tmp_path / "s", 60, {})))
        return begun[-1]

    yield _begin
    for session in begun:
        session.close()
    assert not outpost._slots


def replaced(session: Session) -> list[str]:
    return [e["reason"] for e in session.journal.read() if e["event"] == "worker_restarted"]


def test_jobs_run_in_worker_processes_of_their_own(
    model: Path, begin: Callable[[Any], Session], tmp_path: Path
) -> None:
    session = begin(ThreadPoolExecutor(2))
    assert session.workers == 2
    assert [o.status for o in session.run_all(jobs(model, 3))] == ["pass"] * 3
    assert replaced(session) == []
    assert len(list((tmp_path / "s" / "work").iterdir())) == 2


@pytest.mark.parametrize(("losses", "status"), [(1, "pass"), (2, "untestable")])
def test_a_lost_job_is_tried_once_more(
    model: Path, begin: Callable[[Any], Session], losses: int, status: str
) -> None:
    session = begin(Losing(losses))
    (outcome,) = session.run_all(jobs(model, 1))
    assert outcome.status == status
    assert replaced(session) == ["the executor lost the trial: EOFError: the process is gone"]
    if status == "untestable":
        assert outcome.signature == Signature("crash")
        assert outcome.reason == "the executor lost the trial: EOFError: the process is gone"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mark": "/nowhere/s/work/seen"}, "does not see the session's folder /nowhere/s: No such file"),
        ({"version": "0.0.1"}, "not 0.0.1"),
        ({"content": "another"}, "sees another session's folder"),
        ({}, ""),
    ],
)
def test_what_is_in_the_way_of_a_process(change: dict[str, str], words: str, tmp_path: Path) -> None:
    from trtdebug import __version__

    mark = tmp_path / "s" / "work" / "seen"
    mark.parent.mkdir(parents=True)
    mark.write_text("mine")
    asked = {"mark": str(mark), "content": "mine", "version": __version__} | change
    assert (words in look(dumps(Look(**asked)))) if words else look(dumps(Look(**asked))) == ""


def test_a_pool_whose_processes_lack_trtdebug_is_refused(
    model: Path, begin: Callable[[Any], Session]
) -> None:
    class Bare(Losing):
        def submit(self, function: Callable[[str], str], text: str) -> Future[str]:
            raise ModuleNotFoundError("No module named 'trtdebug'")

    with pytest.raises(UserError, match="cannot run trials of this session: ModuleNotFoundError"):
        begin(Bare(0)).run_all(jobs(model, 1))


def test_the_example_of_the_documentation_runs_jobs(model: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    module = types.ModuleType("example")
    exec(code, module.__dict__)
    session = Session(tmp_path / "s", module.factory.create(tmp_path / "s", 60, {}))
    assert [o.status for o in session.run_all(jobs(model, 3))] == ["pass"] * 3
    session.close()
