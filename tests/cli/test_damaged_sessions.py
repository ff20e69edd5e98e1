"""A damaged file of a session: one line that names it, exit code 2, and nothing that was there is lost."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from in_process import jobs_run_here
from in_process import trtdebug as command

from trtdebug.graph.load import save_model

SAMPLES = Path(__file__).resolve().parents[2] / "samples"

JSON = ("truncated", "empty", "not JSON", "another shape", "a folder", "unreadable")
ARRAY = ("truncated", "empty", "not JSON", "a folder", "unreadable")
PLACE = ("a folder", "unreadable")

RESUME, REPLAY = "resume {d} --quiet", "replay log.txt --session new --quiet"
SHOW, LOG, DIFF = "show {d}", "log {d}", "diff s {d}"
REPORT, PAGE = "report {d}", "report {d} --format html"
REVERDICT, EXPORT = "reverdict {d} --atol 1", "export {d} --out {d}.zip"

# the files, how they can be damaged, the commands that need them
FILES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "the case": ("case.json", JSON, (RESUME, REPLAY, SHOW, LOG, "status {d}", DIFF, REVERDICT, EXPORT)),
    "what preflight found": ("preflight.json", JSON, (RESUME, REPLAY)),
    "what is skipped": ("skips.json", JSON, (RESUME, SHOW, LOG, DIFF, "skip norm_var --session {d}")),
    "the journal": (
        "journal.jsonl",
        (*PLACE, "events that lack their fields"),
        (RESUME, REPLAY, SHOW, LOG, "status {d}", DIFF, REVERDICT, PAGE),
    ),
    "the lock": ("session.lock", PLACE, (RESUME,)),
    "the report": ("report.json", JSON, (REPORT, PAGE, SHOW, DIFF)),
    "the graph": ("graph.json", JSON, (PAGE,)),
    "the values": ("values.json", JSON, (PAGE,)),
    "what trials asked": ("trials/*/trial.json", JSON, (SHOW, DIFF, REVERDICT, REPLAY, PAGE)),
    "what came of trials": ("trials/*/outcome.json", JSON, (RESUME, SHOW, DIFF, REVERDICT, REPLAY, PAGE)),
    "engines": ("trials/*/engine.json", JSON, (PAGE,)),
    "inputs and the reference's tensors": ("tensors/samples/*/*.npy", ARRAY, (RESUME, REVERDICT)),
    "tensors of trials": ("tensors/[0-9a-f]*/*/*.npy", ARRAY, (REVERDICT,)),
}
CASES = [(file, damage) for file, (_, damages, _) in FILES.items() for damage in damages]


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 or 1]),
    "empty": lambda path: path.write_bytes(b""),
    "not JSON": lambda path: path.write_bytes(b"\xff\xfe{ hello\x00"),
    "another shape": lambda path: path.write_text("[3]"),
    "a folder": folder_instead,
    "unreadable": lambda path: path.chmod(0),
    "events that lack their fields": lambda path: path.write_text(
        "".join(json.dumps({"event": e}) + "\n" for e in ("started", "trial_finished", "finished"))
    ),
}


@pytest.fixture(scope="module", autouse=True)
def here() -> Iterator[None]:
    with jobs_run_here():
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished session `s` that has one file at least of each kind, and its log."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SAMPLES))
        patch.chdir(folder)
        from layernorm_overflow import build

        save_model(build(), folder / "m.onnx")
        assert command("run", "m.onnx", "--fp16", "--candidate", "emulator", "--session", "s").code == 1
        assert command("skip", "norm_eps", "--session", "s").code == 0
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: the session `s`, and `d`, which is to be damaged, with a log of it."""
    for name in ("s", "d"):
        shutil.copytree(made / "s", tmp_path / name)
    shutil.copy(made / "m.onnx", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.txt").write_text(command("log", "d").stdout)
    (tmp_path / "sessions").mkdir()
    return tmp_path


def contents(folder: Path) -> dict[str, bytes | None]:
    """Of all files but the lock and the journal, to which commands write."""
    found = (p for p in folder.rglob("*") if p.name not in ("session.lock", "journal.jsonl"))
    readable = {p: p.is_file() and os.access(p, os.R_OK) for p in found}
    return {str(p): p.read_bytes() if is_file else None for p, is_file in readable.items()}


@pytest.mark.parametrize(("file", "damage"), CASES)
def test_it_is_named_and_nothing_is_lost(file: str, damage: str, folder: Path) -> None:
    if damage == "unreadable" and os.geteuid() == 0:
        pytest.skip("root reads every file")
    pattern, _, commands = FILES[file]
    paths = sorted((folder / "d").glob(pattern))
    assert paths
    for path in paths:
        DAMAGES[damage](path)
    before = contents(folder)
    for line in commands:
        done = command(*line.format(d="d").split())
        assert (done.code, done.stdout) == (2, ""), (line, done)
        error, hint = [x for x in done.stderr.splitlines() if not x.startswith("trial ")]
        assert error.startswith("error: "), done.stderr
        assert hint.startswith("hint: "), done.stderr
        # a trial is named by its folder
        assert any(
            str(p.relative_to(folder)) in error or f"the trial {p.parent.relative_to(folder)}" in error
            for p in paths
        ), error
        assert before.items() <= contents(folder).items(), line


@pytest.mark.parametrize("file", FILES)
def test_it_does_not_hide_other_sessions(file: str, folder: Path) -> None:
    pattern, _, commands = FILES[file]
    for name in "sd":
        shutil.move(folder / name, folder / "sessions" / name)
    for path in (folder / "sessions" / "d").glob(pattern):
        folder_instead(path)
    listed = command("list", "sessions", "--json")
    assert listed.code == 0, listed
    states = {Path(s["session"]).name: s["state"] for s in json.loads(listed.stdout)}
    assert states["s"] == "finished"
    assert states["d"].startswith("unreadable (" if SHOW in commands else "finished")
    assert command("gc", "sessions", "--keep", "0").code == 0
