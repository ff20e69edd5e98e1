"""`--workers`, `--gpus` and `--executor`: where trials run, and what cannot be."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import slow_backend
from command_line import events, start
from in_process import trtdebug
from slow_backend import redundant

from trtdebug.backends.tensorrt.device import device_count
from trtdebug.graph.load import save_model
from trtdebug.session.limits import process_tree

FAULTS = redundant(3, 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "redundant.onnx"
    save_model(FAULTS[0], path)
    return path


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`--candidate slow` is there; the file that lets a build die."""
    environment = slow_backend.install(tmp_path / "site")
    for place in environment["PYTHONPATH"].split(os.pathsep):
        monkeypatch.syspath_prepend(place)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(slow_backend.LETHAL, str(tmp_path / "lethal"))
    return tmp_path / "lethal"


def report(*words: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(trtdebug(*words, "--json", "--quiet").stdout)
    return found


def answer(found: dict[str, Any]) -> dict[str, Any]:
    """All of a report but times, counts and paths."""
    told = ("verdict", "signature", "culprits", "fixes", "first_divergence", "findings", "unknown", "outputs")
    return {key: found[key] for key in told}


def test_three_workers_say_what_one_says_even_where_one_of_them_dies(
    model: Path, slow: Path, tmp_path: Path
) -> None:
    words = ("fix", model, "--fp16", "--candidate", "slow")
    alone = report(*words, "--session", tmp_path / "one")
    assert {frozenset(c["nodes"]) for c in alone["culprits"]} == FAULTS[1]
    slow.touch()
    crowd = report(*words, "--session", tmp_path / "three", "--workers", "3")
    assert not slow.exists()
    (restarted,) = [e for e in events(tmp_path / "three") if e["event"] == "worker_restarted"]
    assert restarted["reason"].startswith("the worker died: SIGKILL")
    (finding,) = [f for f in crowd["findings"] if f["id"] == "worker-restarted"]
    crowd["findings"].remove(finding)
    assert answer(crowd) == answer(alone)
    folders = {p.name for p in (tmp_path / "three" / "work").iterdir() if p.is_dir()}
    assert folders >= {"worker1", "worker2"}


def test_four_workers_say_what_one_says_of_a_model_that_is_not_built(
    model: Path, slow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(slow_backend.REFUSED, "b1_turn b2_shift")
    words = ("bisect", model, "--fp16", "--candidate", "slow")
    alone = report(*words, "--session", tmp_path / "one")
    crowd = report(*words, "--session", tmp_path / "four", "--workers", "4")
    [culprit] = alone["culprits"]
    assert {"b1_turn", "b2_shift"} <= set(culprit["nodes"])
    assert answer(crowd) == answer(alone)
    assert crowd["trials"]["builds"] > alone["trials"]["builds"]
    found = report("resume", tmp_path / "four")
    assert (answer(found), found["trials"]["builds"]) == (answer(alone), 0)


def test_a_resumed_session_repeats_no_trial_whatever_the_workers(
    model: Path, slow: Path, tmp_path: Path
) -> None:
    words = ("bisect", model, "--fp16", "--candidate", "slow", "--session", tmp_path / "s")
    trtdebug(*words, "--workers", "2", "--quiet")
    finished = len(list(tmp_path.glob("s/trials/*/outcome.json")))
    found = report("resume", tmp_path / "s", "--workers", "2")
    assert found["trials"]["builds"] == 0
    assert len(list(tmp_path.glob("s/trials/*/outcome.json"))) == finished


@pytest.mark.skipif(device_count() > 0, reason="there is a GPU")
@pytest.mark.parametrize("given", ["0", "all", "0,1"])
def test_gpus_where_there_are_none(model: Path, given: str) -> None:
    done = trtdebug("run", model, "--fp16", "--candidate", "emulator", "--gpus", given)
    assert done.code == 2
    assert done.stderr == (
        f"error: --gpus {given}: CUDA sees no GPU here.\n"
        "hint: The emulator needs none: --workers N runs N trials at once on the CPU.\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--workers", "0"), "'--workers'"),
        (("--workers", "many"), "'--workers'"),
        (("--gpus", "0", "--workers", "2"), "--gpus and --workers exclude each other"),
        (("--gpus", ""), "--gpus takes numbers such as 0,1, or all; not ''"),
        (("--executor", "nowhere"), "there is no executor 'nowhere': known are"),
    ],
)
def test_what_cannot_be_is_one_error(model: Path, words: tuple[str, ...], said: str) -> None:
    done = trtdebug("run", model, "--fp16", *words)
    assert done.code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_several_builders_that_go_by_timing_do_not_share_a_gpu(
    model: Path, slow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_backend.SlowBackend, "deterministic", False)
    done = trtdebug("run", model, "--fp16", "--candidate", "slow", "--workers", "2")
    assert done.code == 2
    assert "--workers 2 would have slow build on one GPU so many times at once" in done.stderr
    assert "--gpus" in done.stderr


def test_ctrl_c_ends_all_workers_and_the_session_goes_on_later(
    model: Path, slow: Path, tmp_path: Path
) -> None:
    words = ("bisect", model, "--fp16", "--candidate", "slow", "--workers", "2", "--session", "s", "--quiet")
    started = start(*words, cwd=tmp_path, **{slow_backend.SECONDS: "1"})
    folder, deadline = tmp_path / "s", time.monotonic() + 120
    while len(list(folder.glob("trials/*/outcome.json"))) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    workers = process_tree(started.pid)[1:]
    os.kill(started.pid, signal.SIGINT)
    assert started.wait(20) == 130
    assert workers
    assert not any(map(lives, workers))
    finished = {p.parent.name for p in folder.glob("trials/*/outcome.json")}
    found = report("resume", folder, "--workers", "2")
    assert {frozenset(c["nodes"]) for c in found["culprits"]} == FAULTS[1]
    begun = [e["trial"] for e in events(folder) if e["event"] == "trial_started"]
    assert all(begun.count(trial) == 1 for trial in finished)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
