"""A set of hostile extensions, installed all at once: every command works, and each offender is named."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from subprocess import CompletedProcess
from typing import Any

import hostile
import numpy as np
import onnx.parser
import pytest
from command_line import trtdebug
from hostile import HOSTILE, ONLY_ASKED

from trtdebug.graph.load import save_model

TEXT = """<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,4] y)
          <float[1] w = {1}> { a = Mul(x, w) e = Exp(a) y = Log(e) }"""
COMMANDS: dict[str, tuple[tuple[object, ...], int]] = {
    "--help": (("--help",), 0),
    "--version": (("--version",), 0),
    "bisect": (("bisect", "m.onnx", "--inputs", "x.npz", "--fp16", "--json", "--session", "s-bisect"), 1),
    "compare": (("compare", "m.onnx", "--inputs", "x.npz", "--fp16", "--json", "--session", "s-compare"), 1),
    "repro": (
        ("repro", "m.onnx", "--inputs", "x.npz", "--fp16", "--nodes", "node_of_e", "--session", "s-repro"),
        1,
    ),
    "verify": (("verify", "s/fix", "--quiet"), 0),
    "bad candidate": (("run", "m.onnx", "--fp16", "--candidate", "bad"), 2),
    "check": (("check", "m.onnx", "--fp16", "--json"), 0),
    "inspect": (("inspect", "m.onnx", "--json"), 0),
    "reverdict": (("reverdict", "s", "--rtol", "1e9", "--json"), 1),
    "resume": (("resume", "s", "--json"), 1),
    "report": (("report", "s", "--format", "json"), 0),
    "formats": (("report", "s", "--format", "list"), 0),
    "log": (("log", "s", "--json"), 0),
    "status": (("status", "s", "--json"), 0),
    "doctor": (("doctor", "--json"), 0),
    "list": (("ext", "list", "--json"), 0),
    "info": (("ext", "info", "hostile-syntax-error", "--json"), 0),
    "ext check": (("ext", "check", "hostile-syntax-error", "--json"), 1),
}


@dataclass(frozen=True)
class Set:
    """What came of all commands."""

    run: CompletedProcess[str]
    others: dict[str, CompletedProcess[str]]
    report: dict[str, Any]
    journal: list[dict[str, Any]]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Set:
    folder = tmp_path_factory.mktemp("hostile")
    variables = hostile.install(folder / "site")
    model = onnx.parser.parse_model(TEXT)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.float32([1]), "w"))
    save_model(model, folder / "m.onnx")
    np.savez(folder / "x.npz", x=np.full((1, 4), 12, np.float32))

    def command(words: tuple[object, ...]) -> CompletedProcess[str]:
        return trtdebug(*words, cwd=folder, **variables)

    run = command(("run", "m.onnx", "--inputs", "x.npz", "--fp16", "--json", "--session", ".trtdebug/s"))
    folder.joinpath("s").symlink_to(folder / ".trtdebug" / "s")
    report = json.loads((folder / "s" / "report.json").read_text())
    journal = [json.loads(line) for line in (folder / "s" / "journal.jsonl").read_text().splitlines()]
    with ThreadPoolExecutor(3) as pool:
        results = pool.map(command, (words for words, _ in COMMANDS.values()))
    return Set(run, dict(zip(COMMANDS, results, strict=True)), report, journal)


def test_run_gets_to_its_fix_and_its_json_is_json(done: Set) -> None:
    assert done.run.returncode == 1, done.run.stderr
    report = json.loads(done.run.stdout)
    assert report["culprits"][0]["nodes"] == ["node_of_e"]
    assert report["fixes"][-1]["verified"]
    assert report["repro"]["verified"]
    assert report == done.report


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_works(done: Set, name: str) -> None:
    words, code = COMMANDS[name]
    result = done.others[name]
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    if "json" in "".join(map(str, words)):
        json.loads(result.stdout)


def troubles(name: str, plugins: list[dict[str, Any]], distribution: str = "distribution") -> str:
    mine = [p for p in plugins if p[distribution] == f"trtdebug-hostile-{name}"]
    lines = [p if isinstance(p, str) else f"{p['where']}: {p['error']}" for m in mine for p in m["problems"]]
    return "\n".join(lines)


@pytest.mark.parametrize("name", [n for n in HOSTILE if n != "bad-backend"])
def test_each_is_named_in_the_list(done: Set, name: str) -> None:
    rows = json.loads(done.others["list"].stdout)
    assert HOSTILE[name].said in troubles(name, rows)
    if HOSTILE[name].listed:
        assert f"hostile-{name}" in done.others["list"].stderr or name.startswith("takes-a")


@pytest.mark.parametrize("name", [n for n in HOSTILE if n not in ONLY_ASKED])
def test_each_is_named_in_the_report_and_the_journal(done: Set, name: str) -> None:
    assert HOSTILE[name].said in troubles(name, done.report["plugins"])
    findings = [f["message"] for f in done.report["findings"] if f["id"] == "extension-failed"]
    assert any(f"trtdebug-hostile-{name} 0.1" in f and HOSTILE[name].said in f for f in findings)
    events = [e for e in done.journal if e["event"] == "plugin_problem"]
    assert any(e["distribution"] == f"trtdebug-hostile-{name}" for e in events)


def test_the_doctor_names_a_backend_that_cannot_be_asked(done: Set) -> None:
    backends = json.loads(done.others["doctor"].stdout)["backends"]
    assert (backends["bad"]["ok"], backends["bad"]["reason"]) == (
        False,
        "the backend bad of hostile-bad-backend (trtdebug-hostile-bad-backend 0.1) failed in probe: "
        "ZeroDivisionError: division by zero",
    )
    assert backends["onnxruntime"]["ok"]


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 30
