"""Exit codes: 0 matches, 1 diverges, 4 untestable, 130 interrupted (2 and 3: see test_bad_input.py)."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from command_line import events, session_members, start, wait_for
from in_process import jobs_run_here, trtdebug
from onnx import TensorProto
from planted_graphs import planted_graph
from seed_models import identity_add_identity, mnist, unknown_operator, unsorted_with_dead_ends

from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model, save_model


@pytest.fixture(autouse=True, scope="module")
def here() -> Iterator[None]:
    with jobs_run_here():
        yield


def overflowing() -> onnx.ModelProto:
    planted = next(p for p in (planted_graph(s, 60, 2) for s in range(100)) if p.overflowing and not p.wrong)
    return planted.model


@pytest.mark.parametrize(
    ("model", "options", "code", "verdict"),
    [
        (identity_add_identity(), ["--fp16"], 0, "matches"),
        (overflowing(), ["--fp16"], 1, "diverges"),
        (mnist(argmax=TensorProto.INT32), [], 4, "untestable"),
        (unsorted_with_dead_ends(), [], 4, "untestable"),
    ],
    ids=["0", "1", "4, wrong type", "4, no producer"],
)
def test_the_verdict_is_the_exit_code(
    model: onnx.ModelProto, options: list[str], code: int, verdict: str, tmp_path: Path
) -> None:
    save_model(model, tmp_path / "model.onnx")
    session = tmp_path / "s"
    done = trtdebug("run", tmp_path / "model.onnx", *options, "--session", session, "--json", "--quiet")
    assert done.code == code, done.stderr
    assert json.loads(done.stdout)["verdict"] == verdict


@pytest.mark.parametrize("command", ["compare", "repro --nodes Conv-1"])
def test_no_reference_is_4_for_the_other_commands_too(command: str, tmp_path: Path) -> None:
    save_model(mnist(argmax=TensorProto.INT32), tmp_path / "model.onnx")
    words = command.split()
    done = trtdebug(*words, tmp_path / "model.onnx", "--session", tmp_path / "s", "--quiet")
    assert (done.code, done.stdout) == (4, "")
    assert done.stderr.startswith("error: the reference onnxruntime cannot run model.onnx")
    assert "ArgMax-15" in done.stderr


def test_a_repro_that_could_not_be_tested_is_4(tmp_path: Path) -> None:
    """The emulator has nothing to emulate in FP32: neither that the node passes nor that it fails is known."""
    save_model(overflowing(), tmp_path / "model.onnx")
    node = GraphIndex(load_model(tmp_path / "model.onnx")).order[0]
    line = ["repro", tmp_path / "model.onnx", "--nodes", node, "--candidate", "emulator"]
    done = trtdebug(*line, "--session", tmp_path / "s", "--quiet")
    assert done.code == 4, done.stderr
    assert "could not be tested" in done.stdout


def test_the_repro_that_a_search_ends_with_goes_where_it_is_asked_for(tmp_path: Path) -> None:
    save_model(overflowing(), tmp_path / "model.onnx")
    line = ["repro", tmp_path / "model.onnx", "--fp16", "--candidate", "emulator", "--quiet"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    refused = trtdebug(*line, "--output", tmp_path / "mine", "--session", tmp_path / "s")
    assert refused.code == 2
    assert "exists and is no repro" in refused.stderr
    (tmp_path / "out").mkdir()
    done = trtdebug(*line, "--output", tmp_path / "out", "--session", tmp_path / "s")
    assert done.code == 1, done.stderr
    assert f"repro copied to {tmp_path / 'out'}" in done.stdout
    assert (tmp_path / "out" / "repro.py").is_file()
    assert (tmp_path / "out" / "model.onnx").is_file()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interrupted_is_130_and_says_how_to_go_on(name: str, tmp_path: Path) -> None:
    save_model(overflowing(), tmp_path / "model.onnx")
    process = start("-p", "no:inputs", "run", "model.onnx", "--fp16", "--session", "my session", cwd=tmp_path)
    wait_for("trial_finished", tmp_path / "my session")
    process.send_signal(getattr(signal, name))
    stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1] == "interrupted; resume with: trtdebug -p no:inputs resume 'my session'"
    assert "Traceback" not in stderr
    deadline = time.monotonic() + 5
    while session_members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert session_members(process.pid) == []
    assert events(tmp_path / "my session")[-1]["event"] == "interrupted"
    done = trtdebug("resume", tmp_path / "my session", "--quiet")
    assert done.code == 1
    assert done.stdout.startswith("DIVERGES")


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    """`trtdebug log | head -1`: the reader goes, and nobody complains."""
    save_model(identity_add_identity(), tmp_path / "model.onnx")
    trtdebug("run", tmp_path / "model.onnx", "--fp16", "--session", tmp_path / "s", "--quiet")
    process = start("log", "s", cwd=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.wait(timeout=20)


@pytest.mark.parametrize("command", ["compare", "repro --nodes odd"])
def test_where_the_reference_lacks_an_operator_that_is_the_advice(command: str, tmp_path: Path) -> None:
    save_model(unknown_operator(), tmp_path / "model.onnx")
    words = [*command.replace("odd", GraphIndex(load_model(tmp_path / "model.onnx")).order[0]).split()]
    with jobs_run_here():
        done = trtdebug(words[0], tmp_path / "model.onnx", *words[1:], "--session", tmp_path / "s", "--quiet")
    assert done.code == 4
    assert "--operators FILE" in done.stderr
    assert "input shapes" not in done.stderr
