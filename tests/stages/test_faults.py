"""Whatever happens to a worker in one trial: the session completes, nothing is lost, and no answer is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import command_line
import in_process
import pytest
from command_line import events, wait_for
from fault_backend import install
from in_process import Done
from planted_graphs import planted_graph

from trtdebug.graph.load import save_model

CHANCE = {
    "sigsegv": "the worker died: SIGSEGV (segmentation fault)",
    "sigkill": "the worker died: SIGKILL",
    "abort": "the worker died: SIGABRT (aborted)",
    "exit": "the worker died: exit code 3",
    "system-exit": "the worker died: exit code 4",
    "memory-error": "out of host memory: MemoryError: nothing left",
    "hog": "out of host memory: the worker held",
    "cuda": "CUDA error: Error Code 1: Cuda Runtime (an illegal memory access",
    "gpu-memory": "out of GPU memory: Error Code 1: Cuda Runtime (out of memory)",
}
"""Faults that another attempt in a fresh worker does not meet, and the words for them."""
OPTIONS = ("--fp16", "--candidate", "faulty", "--worker-memory", "600M", "--json", "--quiet")
SECONDS = {"hang": 2, "stop": 2}
"""What a trial may take; of what comes to an end by itself ten times as much."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of 40 nodes, two of which overflow."""
    folder = tmp_path_factory.mktemp("faults")
    planted = next(p for p in (planted_graph(s, 40, 2) for s in range(100)) if p.overflowing and not p.wrong)
    save_model(planted.model, folder / "model.onnx")
    return folder


def run(home: Path, fault: str, build: int, **variables: str) -> tuple[Done, Path]:
    """A `trtdebug fix` whose worker meets the fault, and its session."""
    session, site = home / f"{fault}-{build}", home / f"{fault}-{build}.site"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (install(site, fault, build) | variables).items():
            patch.setenv(name, value)
        patch.syspath_prepend(str(site))
        words = ("--session", session, "--timeout", SECONDS.get(fault, 20))
        done = in_process.trtdebug("fix", home / "model.onnx", *words, *OPTIONS)
    return done, session


def answer(report: dict[str, Any]) -> dict[str, Any]:
    """What the report says of the model, by whatever way it was found."""
    fixes = [{k: f[k] for k in ("kind", "interventions", "verified")} for f in report["fixes"]]
    return {k: report[k] for k in ("verdict", "signature", "culprits", "unknown")} | {"fixes": fixes}


@pytest.fixture(scope="module")
def calm(home: Path) -> dict[str, Any]:
    """The report of a run without a fault."""
    done, _ = run(home, "none", 0)
    assert done.code == 1, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["culprits"]
    assert report["fixes"][0]["verified"]
    return report


def nothing_is_lost(session: Path) -> None:
    """Every trial that was begun has its end in the journal, and its outcome in the folder."""
    journal = events(session)
    started = [e["trial"] for e in journal if e["event"] == "trial_started"]
    finished = [e["trial"] for e in journal if e["event"] == "trial_finished"]
    assert started == finished
    assert journal[-1]["event"] == "finished"
    for trial in started:
        json.loads((session / "trials" / trial / "outcome.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "build"),
    [*((f, 3) for f in CHANCE), ("sigsegv", 1), ("sigsegv", 5), ("noise", 2)],
)
def test_a_fault_by_chance_changes_no_answer(
    fault: str, build: int, home: Path, calm: dict[str, Any]
) -> None:
    done, session = run(home, fault, build)
    assert done.code == 1, done.stderr
    report = json.loads(done.stdout)
    assert answer(report) == answer(calm)
    nothing_is_lost(session)
    said = [e["reason"] for e in events(session) if e["event"] == "worker_restarted"]
    found = [f["message"] for f in report["findings"] if f["id"] == "worker-restarted"]
    if fault == "noise":
        assert said == found == []
        return
    assert len(said) == len(found) == 1
    assert said[0].startswith(CHANCE[fault])
    assert said[0] in found[0]
    assert any("meets " + fault in p.read_text() for p in session.glob("trials/*/log-first.txt"))


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "builds"), [("hang", (1, 3)), ("stop", (2,)), ("raise", (3,))])
def test_what_is_not_tried_again_is_unknown_and_nothing_else(
    fault: str, builds: tuple[int, ...], home: Path, calm: dict[str, Any]
) -> None:
    truth = {n for c in calm["culprits"] for n in c["nodes"]}
    for build in builds:
        done, session = run(home, fault, build)
        report = json.loads(done.stdout)
        assert done.code == 1, done.stderr
        assert report["verdict"] in ("diverges", "fragile")
        nothing_is_lost(session)
        assert report["trials"]["untestable"] == 1
        proven = {n for c in report["culprits"] if c["proven"] for n in c["nodes"]}
        assert proven <= truth
        if proven != truth:
            assert report["unknown"]
        kind = "crash" if fault == "raise" else "timeout"
        [outcome] = [
            o
            for p in session.glob("trials/*/outcome.json")
            if (o := json.loads(p.read_text()))["status"] == "untestable"
        ]
        assert outcome["signature"]["kind"] == kind
        assert outcome["log_tail"].startswith("meets " + fault)


@pytest.mark.slow
def test_a_fault_in_every_build_is_untestable(home: Path) -> None:
    """Nothing can be compared: said so, with the reason."""
    done, session = run(home, "exit", 1, FAULT_COUNT="/dev/null")
    report = json.loads(done.stdout)
    assert (done.code, report["verdict"]) == (4, "untestable")
    assert report["signature"]["kind"] == "crash"
    assert report["reason"] == "the worker died: exit code 3; and again in a fresh worker"
    nothing_is_lost(session)


def test_two_runs_in_one_session_are_refused(home: Path) -> None:
    """The second is told who has it, and harms nothing."""
    variables = install(home / "twice.site", "hang", 1)
    arguments = ("run", "model.onnx", "--session", "twice", *OPTIONS)
    first = command_line.start(*arguments, cwd=home, **variables)
    wait_for("trial_started", home / "twice")
    for command in (arguments, ("resume", "twice")):
        second = command_line.trtdebug(*command, cwd=home, **variables)
        assert second.returncode == 2
        assert second.stderr.startswith(f"error: the session twice is in use by process {first.pid}.\n")
    first.kill()
    first.communicate()
    resumed = command_line.trtdebug("resume", "twice", "--quiet", cwd=home, **variables | {"FAULT_AT": "0"})
    assert resumed.returncode == 1
