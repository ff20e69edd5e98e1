"""Killed at any instant, a session goes on: the same result, and no finished trial is done again."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import in_process
import pytest
from command_line import events, session_members, start, trtdebug, wait_for
from in_process import jobs_run_by, jobs_run_here
from planted_graphs import planted_graph

from trtdebug.core.outcome import Outcome
from trtdebug.graph.load import save_model
from trtdebug.session.job import Job

SESSIONS = 10
KILLS = 2  # a session


def essence(report: str) -> dict[str, Any]:
    """What two runs of one case must agree in: all but times, places, and which trials came from the cache."""
    data = json.loads(report)
    for fix in data["fixes"]:
        del fix["latency_ratio"], fix["latency_ms"]
    del data["stages"], data["trials"], data["fix_folder"]
    data["repro"] = {k: data["repro"][k] for k in ("nodes", "verified")}
    return data  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of 40 nodes, two of which are planted faults that overflow."""
    folder = tmp_path_factory.mktemp("resume")
    planted = next(p for p in (planted_graph(s, 40, 2) for s in range(100)) if p.overflowing and not p.wrong)
    save_model(planted.model, folder / "model.onnx")
    return folder


@pytest.fixture(scope="module")
def undisturbed(home: Path) -> tuple[dict[str, Any], float]:
    """The result of a run that nobody disturbs, and the seconds it takes."""
    started = time.perf_counter()
    done = trtdebug("run", "model.onnx", "--fp16", "--session", "calm", "--json", "--quiet", cwd=home)
    assert done.returncode == 1, done.stderr
    return essence(done.stdout), time.perf_counter() - started


def kill(process: Any) -> None:
    """Kills the main process alone; its worker has to notice by itself."""
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    deadline = time.monotonic() + 5
    while session_members(process.pid):
        assert time.monotonic() < deadline, "the worker outlives its session"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SESSIONS))
def test_killed_at_random_instants(seed: int, home: Path, undisturbed: tuple[dict[str, Any], float]) -> None:
    result, seconds = undisturbed
    rng = random.Random(seed)
    session = home / f"killed-{seed}"
    for number in range(KILLS):
        begun = (session / "case.json").exists()
        line = ["resume", session] if begun else ["run", "model.onnx", "--fp16", "--session", session]
        process = start(*line, "--quiet", cwd=home)
        time.sleep(rng.uniform(0.2, 1.0) * seconds * (1 - 0.3 * number))
        kill(process)
    if not (session / "case.json").exists():
        refused = trtdebug("resume", session, cwd=home)
        assert refused.returncode == 2
        trtdebug("run", "model.onnx", "--fp16", "--session", session, "--quiet", cwd=home)
    with jobs_run_here():
        done = in_process.trtdebug("resume", session, "--json", "--quiet")
    assert done.code == 1, done.stderr
    assert essence(done.stdout) == result
    finished = Counter(e["trial"] for e in events(session) if e["event"] == "trial_finished")
    assert finished
    assert set(finished.values()) == {1}


class Unneeded:
    """An executor that nobody should ask for anything."""

    def start(self, reference: str, candidate: str) -> None:
        raise AssertionError("workers are started")

    def run(self, job: Job) -> Outcome:
        raise AssertionError(job.purpose)

    def close(self) -> None:
        pass


def test_a_finished_session_repeats_nothing(home: Path, undisturbed: tuple[dict[str, Any], float]) -> None:
    before = len([e for e in events(home / "calm") if e["event"] == "trial_started"])
    with jobs_run_by(lambda folder: Unneeded()):
        done = in_process.trtdebug("resume", home / "calm", "--json", "--quiet")
    assert essence(done.stdout) == undisturbed[0]
    trials = json.loads(done.stdout)["trials"]
    assert (trials["builds"], trials["cached"]) == (0, trials["total"])
    assert len([e for e in events(home / "calm") if e["event"] == "trial_started"]) == before


def test_log_and_status_tell_the_truth(
    home: Path, undisturbed: tuple[dict[str, Any], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    session = home / ".trtdebug" / "stopped"
    process = start("run", "model.onnx", "--fp16", "--session", session, cwd=home)
    wait_for("trial_finished", session)
    kill(process)

    [state] = json.loads(in_process.trtdebug("status", "--json").stdout)
    outcomes = len(list(session.glob("trials/*/outcome.json")))
    assert state == {
        "session": ".trtdebug/stopped",
        "state": "unfinished",
        "model": str(home / "model.onnx"),
        "trials": outcomes,
        "verdict": None,
    }
    log = json.loads(in_process.trtdebug("log", session, "--json").stdout)
    assert log == events(session)
    assert [e["event"] for e in log][:2] == ["opened", "started"]
    assert "finished" not in [e["event"] for e in log]

    with jobs_run_here():
        in_process.trtdebug("resume")  # the newest, without its name
    assert in_process.trtdebug("status", session).stdout.startswith(f"{session}: finished, ")
    moved = home / "elsewhere" / "moved"
    moved.parent.mkdir()
    shutil.move(session, moved)
    monkeypatch.chdir("/")
    shown = in_process.trtdebug("status", moved)
    assert shown.code == 0
    assert shown.stdout.startswith(f"{moved}: finished, ")
    assert shown.stdout.endswith("model.onnx, diverges\n")
    again = in_process.trtdebug("resume", moved, "--json", "--quiet")
    assert essence(again.stdout) == undisturbed[0]
    assert json.loads(again.stdout)["trials"]["builds"] == 0


def test_resume_goes_as_far_as_the_command_wanted(home: Path) -> None:
    """A `bisect` that was interrupted stays one: no fix, no repro."""
    process = start("bisect", "model.onnx", "--fp16", "--session", "cause-only", cwd=home)
    wait_for("trial_finished", home / "cause-only")
    kill(process)
    with jobs_run_here():
        done = in_process.trtdebug("resume", home / "cause-only", "--json", "--quiet")
    report = json.loads(done.stdout)
    assert report["culprits"]
    assert (report["fixes"], report["repro"]) == ([], None)
