"""On a real GPU: a builder that is killed, hangs, leaves or finds no memory costs a trial at most."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from command_line import events, start
from fault_backend import install
from onnx import helper, numpy_helper

from trtdebug.session.limits import process_tree

pytestmark = [pytest.mark.gpu, pytest.mark.slow]

CULPRITS = {"square", "mean", "root"}

# Takes all of the GPU's memory, and what others give back, until it is killed.
HOG = """
import ctypes, sys, time
cuda = ctypes.CDLL("libcuda.so.1")
device, context, pointer = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
assert not cuda.cuInit(0)
assert not cuda.cuDeviceGet(ctypes.byref(device), 0)
assert not cuda.cuCtxCreate_v2(ctypes.byref(context), 0, device)
full = False
while True:
    size = 1 << 34
    while size >= 1 << 21:
        if cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(size)):
            size //= 2
    if not full:
        print("full", flush=True)
        full = True
    time.sleep(0.02)
"""


def model(path: Path, width: int) -> Path:
    """y = h / rms(h), h = x @ w of some thousands: the squares are beyond FP16, the result is not."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "fc"),
        helper.make_node("Mul", ["h", "h"], ["s"], "square"),
        helper.make_node("ReduceMean", ["s"], ["m"], "mean", axes=[-1], keepdims=1),
        helper.make_node("Sqrt", ["m"], ["q"], "root"),
        helper.make_node("Div", ["h", "q"], ["y"], "divide"),
    ]
    rng = np.random.default_rng(3)
    weights = (rng.standard_normal((width, width)) * 1000 / np.sqrt(width)).astype(np.float32)
    value = [helper.make_tensor_value_info(n, 1, [16, width]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "g", value[:1], value[1:], [numpy_helper.from_array(weights, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `trtdebug bisect` in the session tmp_path/s."""
    begun: list[subprocess.Popen[str]] = []

    def _begin(width: int, *options: str, **variables: str) -> subprocess.Popen[str]:
        path = model(tmp_path / "model.onnx", width)
        words = ("bisect", path, "--fp16", "--opt-level", "0", "--val-range", "[-2,2]", "--session", "s")
        begun.append(start(*words, "--json", "--quiet", *options, cwd=tmp_path, **variables))
        return begun[-1]

    yield _begin
    for process in begun:
        process.kill()
        process.communicate()


def wait(condition: Callable[[], Any], process: subprocess.Popen[str], seconds: float = 60) -> Any:
    """What the condition gives, as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return found


def candidates(session: Path, event: str) -> list[dict[str, Any]]:
    """Events of this kind about the candidate's trials."""
    found = [e for e in events(session) if e["event"] == event]
    return [
        e
        for e in found
        if json.loads((session / "trials" / e["trial"] / "trial.json").read_text())["role"] == "candidate"
    ]


def building(session: Path) -> str | None:
    """The candidate's trial that a worker is at."""
    finished = {e["trial"] for e in candidates(session, "trial_finished")}
    now = [e["trial"] for e in candidates(session, "trial_started") if e["trial"] not in finished]
    return next((t for t in now if (session / "trials" / t / "log.txt").exists()), None)


def worker(main: int) -> int:
    """Process id of the worker that has TensorRT."""
    for pid in process_tree(main):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"trtdebug.session.worker" in words and b"tensorrt" in words:
            return pid
    raise AssertionError("there is no such worker")


def finish(process: subprocess.Popen[str], session: Path) -> tuple[dict[str, Any], list[str]]:
    """The report of a run that completed and lost nothing, and why its workers were replaced."""
    stdout, stderr = process.communicate(timeout=100)
    assert process.returncode == 1, stderr
    journal = events(session)
    started = [e["trial"] for e in journal if e["event"] == "trial_started"]
    assert started == [e["trial"] for e in journal if e["event"] == "trial_finished"]
    assert all((session / "trials" / t / "outcome.json").is_file() for t in started)
    report = json.loads(stdout)
    restarts = [e["reason"] for e in journal if e["event"] == "worker_restarted"]
    said = [f["message"] for f in report["findings"] if f["id"] == "worker-restarted"]
    assert all(any(why in line for line in said) for why in restarts)
    return report, restarts


def proven(report: dict[str, Any]) -> set[str]:
    return {n for c in report["culprits"] if c["proven"] for n in c["nodes"]}


def never_wrong(report: dict[str, Any]) -> None:
    """What the lost trial would have told is found otherwise, or said to be unknown."""
    assert proven(report) <= CULPRITS
    assert proven(report) == CULPRITS or report["unknown"]


def outcome(session: Path, trial: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((session / "trials" / trial / "outcome.json").read_text())
    return found


def test_a_builder_that_crashes_is_tried_again(tmp_path: Path, begin: Callable[..., Any]) -> None:
    session = tmp_path / "s"
    process = begin(256)
    trial = wait(lambda: building(session), process)
    time.sleep(0.2)
    os.kill(worker(process.pid), signal.SIGSEGV)
    report, restarts = finish(process, session)
    assert restarts == ["the worker died: SIGSEGV (segmentation fault)"]
    assert outcome(session, trial)["status"] != "untestable"
    assert (session / "trials" / trial / "log-first.txt").is_file()
    assert proven(report) == CULPRITS


def test_a_builder_that_leaves_is_tried_again(tmp_path: Path, begin: Callable[..., Any]) -> None:
    fault = install(tmp_path / "site", "exit", 1) | {"FAULT_DELAY": "0.1"}
    report, restarts = finish(begin(256, "--candidate", "faulty-tensorrt", **fault), tmp_path / "s")
    assert restarts == ["the worker died: exit code 3"]
    assert proven(report) == CULPRITS


def test_a_builder_that_hangs_costs_its_trial(tmp_path: Path, begin: Callable[..., Any]) -> None:
    session = tmp_path / "s"
    process = begin(256, "--timeout", "15")
    trial = wait(lambda: building(session), process)
    time.sleep(0.2)
    os.kill(worker(process.pid), signal.SIGSTOP)
    report, restarts = finish(process, session)
    assert restarts == ["no answer within 15 s (--timeout allows more)"]
    assert outcome(session, trial)["signature"]["kind"] == "timeout"
    untestable = [e for e in candidates(session, "trial_finished") if e["status"] == "untestable"]
    assert len(untestable) <= 2, (
        untestable
    )  # its trial, and at most one that waits for the new builder in vain
    never_wrong(report)


def test_a_gpu_without_memory_is_named_and_later_trials_are_right(
    tmp_path: Path, begin: Callable[..., Any]
) -> None:
    """Another process takes all memory, with 64 MiB of weights to build, until a trial is given up."""
    session = tmp_path / "s"
    process = begin(4096, "--timeout", "40", "--builds", "5")
    wait(lambda: candidates(session, "trial_finished"), process)
    hog = subprocess.Popen([sys.executable, "-c", HOG], stdout=subprocess.PIPE, text=True)
    try:
        assert hog.stdout is not None
        assert hog.stdout.readline() == "full\n"
        given_up = wait(
            lambda: [e for e in candidates(session, "trial_finished") if e["status"] == "untestable"],
            process,
            90,
        )
    finally:
        hog.kill()
        hog.communicate()
    report, restarts = finish(process, session)
    assert restarts[0].startswith("out of GPU memory: ")
    found = outcome(session, given_up[0]["trial"])
    assert "out of GPU memory: " in found["reason"]
    assert found["log_tail"]
    assert report["trials"]["untestable"] == 1  # what came after the hog's end was built
    never_wrong(report)
