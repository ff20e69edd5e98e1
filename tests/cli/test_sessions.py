"""Sessions as in git bisect: looked at, moved, sent, replayed with other verdicts, compared, and made smaller."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from in_process import Done, jobs_run_here, trtdebug
from seed_models import model_of, node, value, weight

from trtdebug.graph.load import load_model, save_model


def overflowing(scale: float = 1e3) -> onnx.ModelProto:
    """Between two healthy nodes a square that overflows in FP16 for inputs of some hundreds, and its root."""
    w = np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32) / 4
    nodes = [
        node("MatMul", ["x", "w"], ["a"], "first"),
        node("Mul", ["a", "scale"], ["b"], "grow"),
        node("Mul", ["b", "b"], ["c"], "square"),
        node("Sqrt", ["c"], ["d"], "root"),
        node("MatMul", ["d", "w"], ["y"], "last"),
    ]
    return model_of(
        nodes, [value("x", [4, 16])], [value("y", [4, 16])], [weight("w", w), weight("scale", scale)]
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a model and a finished session of it; jobs run here."""
    folder = tmp_path_factory.mktemp("home")
    save_model(overflowing(), folder / "m.onnx")
    with jobs_run_here():
        done = trtdebug(
            *("run", folder / "m.onnx", "--fp16", "--candidate", "emulator", "--quiet"),
            *("--session", folder / "root" / "s"),
        )
        assert done.code == 1, done.stderr
        yield folder


@pytest.fixture
def moved(home: Path, tmp_path: Path) -> Path:
    """The session and its model in other folders than they were made in, side by side as before."""
    shutil.copytree(home, tmp_path / "other")
    home.rename(home.with_name("hidden"))
    yield tmp_path / "other" / "root" / "s"
    home.with_name("hidden").rename(home)


def report(done: Done) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def culprits(data: dict[str, Any]) -> set[str]:
    return {n for c in data["culprits"] for n in c["nodes"]}


def test_list_and_show(home: Path) -> None:
    said = trtdebug("list", home / "root").stdout
    assert "diverges" in said
    assert "m.onnx" in said
    shown = trtdebug("show", home / "root" / "s").stdout
    assert "cause      square" in shown
    assert "s: finished" in trtdebug("status", home / "root").stdout
    assert trtdebug("status", home / "root").stdout == trtdebug("status", home / "root" / "s").stdout
    [trial] = [line for line in shown.splitlines() if "forced" in line]
    one = trtdebug("show", home / "root" / "s", "--trial", trial[:12]).stdout
    assert "ForcePrecision" in one
    assert trtdebug("show", home / "root" / "s", "--trial", "").code == 2
    data = report(trtdebug("show", home / "root" / "s", "--json"))
    assert (data["verdict"], data["state"]) == ("diverges", "finished")
    assert len(data["trials"]) == data_trials(home / "root" / "s")


def data_trials(session: Path) -> int:
    return len(list(session.glob("trials/*/outcome.json")))


@pytest.mark.parametrize("command", ["gc", "list", "status"])
def test_a_folder_that_is_not_there_is_refused(command: str, tmp_path: Path) -> None:
    done = trtdebug(command, tmp_path / "nosuch")
    assert done.code == 2
    assert "there is no" in done.stderr


def test_a_moved_session_is_judged_resumed_and_compared_as_before(moved: Path) -> None:
    verdict = report(trtdebug("reverdict", moved, "--rtol", "1e-9", "--json"))
    assert verdict["verdict"] == "diverges"
    resumed = report(trtdebug("resume", moved, "--json", "--quiet"))
    assert culprits(resumed) == {"square", "root"}
    assert resumed["trials"]["builds"] == 0
    assert trtdebug("export", moved, "--out", moved.parent / "s.zip").code == 0
    same = trtdebug("diff", moved, moved)
    assert (same.code, same.stdout.splitlines()[0]) == (0, "the verdict is the same")


def test_without_its_model_it_asks_for_it(moved: Path, tmp_path: Path) -> None:
    (moved.parent.parent / "m.onnx").rename(tmp_path / "elsewhere.onnx")
    refused = trtdebug("resume", moved, "--quiet")
    assert refused.code == 2
    assert "is not here" in refused.stderr
    assert "--model FILE" in refused.stderr
    save_model(overflowing(2.0), tmp_path / "wrong.onnx")
    assert (
        "is of another model"
        in trtdebug("resume", moved, "--quiet", "--model", tmp_path / "wrong.onnx").stderr
    )
    found = report(trtdebug("resume", moved, "--quiet", "--json", "--model", tmp_path / "elsewhere.onnx"))
    assert (found["verdict"], found["trials"]["builds"]) == ("diverges", 0)
    assert trtdebug("resume", moved, "--quiet").code == 1  # it knows now


def test_exported_and_opened_elsewhere_it_holds_all_and_no_path(home: Path, tmp_path: Path) -> None:
    assert trtdebug("export", home / "root" / "s", "--out", tmp_path / "s.zip").code == 0
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
        assert {name.partition("/")[0] for name in archive.namelist()} == {"s"}
        page = archive.read("s/report.html").decode()
    # the page runs and styles only what it has the hash of
    ours = (home / "root" / "s" / "report.html").read_text(encoding="utf-8")
    for part in (r"<script>(.*?)</script>", r"<style>(.*?)</style>", r'content="(default-src[^"]*)"'):
        assert re.findall(part, page, re.DOTALL) == re.findall(part, ours, re.DOTALL) != []
    for path in (home, home.parent, Path.home(), Path(__file__).parents[2]):
        assert str(path).encode() not in content
    home.rename(home.with_name("hidden"))
    try:
        opened = trtdebug("import", tmp_path / "s.zip", "--session", tmp_path / "s")
        assert (opened.code, opened.stdout) == (0, f"session {tmp_path / 's'}\n")
        assert trtdebug("import", tmp_path / "s.zip", "--session", tmp_path / "s").code == 2
        resumed = report(trtdebug("resume", tmp_path / "s", "--json", "--quiet"))
        assert culprits(resumed) == {"square", "root"}
        assert resumed["trials"]["builds"] == 0
        assert trtdebug("reverdict", tmp_path / "s").code == 1
    finally:
        home.with_name("hidden").rename(home)
    assert trtdebug("diff", home / "root" / "s", tmp_path / "s").code == 0


def test_replayed_as_it_was_nothing_is_built(home: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(trtdebug("log", home / "root" / "s").stdout)
    again = report(trtdebug("replay", tmp_path / "log", "--session", tmp_path / "new", "--json", "--quiet"))
    assert culprits(again) == {"square", "root"}
    assert again["trials"]["builds"] == 0


def test_replayed_with_a_verdict_changed_and_a_line_deleted(moved: Path, tmp_path: Path) -> None:
    lines = trtdebug("log", moved).stdout.splitlines()
    edited = [line.replace("fail ", "pass ", 1) if "as built" in line else line for line in lines]
    edited = [line for line in edited if "forced" not in line]
    (tmp_path / "log").write_text("\n".join(edited))
    done = trtdebug(
        *("replay", tmp_path / "log", "--from", moved, "--session", tmp_path / "new", "--json", "--quiet")
    )
    data = report(done)
    assert (done.code, data["verdict"]) == (1, "fragile")  # all that was as built passes, by the log
    assert data["trials"]["builds"] == 1  # the forced one is done anew
    changed = trtdebug("diff", moved, tmp_path / "new")
    assert changed.code == 1
    assert "verdict: diverges -> fragile" in changed.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pass 0123456789abcdef", "does not say of which session"),
        ("session .\nbad 0123456789abcdef", "line 2 of"),
        ("session .\npass xyz", "line 2 of"),
        ("session NOWHERE\npass 0123456789abcdef", "is not a session"),
        ("session SESSION\npass 0123456789abcdef", "has no trial 0123456789abcdef"),
        ("session SESSION\nskip-node nowhere", "'nowhere', which is no node"),
        ("session 'SESSION", "quot"),
    ],
)
def test_a_log_that_is_not_understood_is_refused(home: Path, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "log").write_text(text.replace("SESSION", str(home / "root" / "s")))
    done = trtdebug("replay", tmp_path / "log", "--session", tmp_path / "new", "--quiet")
    assert done.code == 2
    assert said in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_node_that_is_skipped_stays_in_fp32(home: Path, tmp_path: Path) -> None:
    session = tmp_path / "s"
    shutil.copytree(home / "root" / "s", session)
    assert trtdebug("skip", "square", "--session", session).code == 0
    assert trtdebug("skip", "nowhere", "--session", session).code == 2
    data = report(trtdebug("resume", session, "--model", home / "m.onnx", "--json", "--quiet"))
    assert culprits(data) == {"root"}
    assert any("1 node(s) were skipped" in line for line in data["unknown"])
    assert "skip-node square" in trtdebug("log", session).stdout
    assert trtdebug("skip", "square", "--session", session, "--undo").code == 0
    assert culprits(report(trtdebug("resume", session, "--json", "--quiet"))) == {"square", "root"}


def test_a_trial_that_is_skipped_is_untestable(home: Path, tmp_path: Path) -> None:
    session = tmp_path / "s"
    shutil.copytree(home / "root" / "s", session)
    trials = report(trtdebug("show", session, "--json"))["trials"]
    built = [t["trial"] for t in trials if t["purpose"] == "as built"]
    assert trtdebug("skip", built[0][:12], "--session", session).code == 0
    data = report(trtdebug("resume", session, "--model", home / "m.onnx", "--json", "--quiet"))
    assert "1 trial(s) were skipped" in data["unknown"]
    assert [data["flaky"][key] for key in ("builds", "failed")] == [2, 1]
    assert f"skip {built[0][:16]}" in trtdebug("log", session).stdout


def test_skip_needs_no_model_for_what_the_session_knows(moved: Path) -> None:
    """A session that came from somebody else, without the model."""
    (moved.parents[1] / "m.onnx").unlink()
    trial = report(trtdebug("show", moved, "--json"))["trials"][0]["trial"]
    assert trtdebug("skip", trial[:8], "square", "--session", moved).code == 0
    (moved / "graph.json").unlink()  # as where it was interrupted
    assert trtdebug("skip", trial[:16], "square", "--undo", "--session", moved).code == 0
    done = trtdebug("skip", "square", "--session", moved)
    assert done.code == 2
    assert "m.onnx cannot be read" in done.stderr


def test_diff_tells_what_changed_between_two_exports(home: Path, tmp_path: Path) -> None:
    save_model(overflowing(1.0), tmp_path / "mended.onnx")
    line = ["run", tmp_path / "mended.onnx", "--fp16", "--candidate", "emulator", "--quiet"]
    assert trtdebug(*line, "--session", tmp_path / "mended").code == 0
    done = trtdebug("diff", home / "root" / "s", tmp_path / "mended")
    assert done.code == 1
    assert "verdict: diverges -> matches" in done.stdout
    assert "no culprit any more: square" in done.stdout
    data = report(trtdebug("diff", home / "root" / "s", tmp_path / "mended", "--json"))
    worst = data["errors"][0]
    assert (worst["tensor"], worst["first"]["status"], worst["second"]["status"]) == ("y", "fail", "pass")
    assert {"model", "verdict", "failure"} <= {c["what"] for c in data["changes"]}


def test_gc_tells_first_and_frees_then(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "root" / "s", tmp_path / "root" / "2")
    shutil.copytree(home / "root" / "s", tmp_path / "root" / "1")
    told = trtdebug("gc", tmp_path / "root")  # but for the newest
    assert told.stdout.splitlines()[-1].endswith("would be freed; --yes frees it")
    assert report(trtdebug("gc", tmp_path / "root", "--older-than", "1", "--json"))["found"] == []
    freed = report(trtdebug("gc", tmp_path / "root", "--yes", "--json"))
    assert [f["session"] for f in freed["found"]] == [str(tmp_path / "root" / "1")]
    assert freed["freed"] > 0
    assert [p.name for p in (tmp_path / "root" / "1" / "tensors").iterdir()] == ["samples"]
    data = report(
        trtdebug("resume", tmp_path / "root" / "1", "--model", home / "m.onnx", "--json", "--quiet")
    )
    assert culprits(data) == {"square", "root"}  # what it needs of the tensors is made again
    trtdebug("gc", tmp_path / "root", "--sessions", "--keep", "0", "--yes")
    assert not list((tmp_path / "root").iterdir())


def test_gc_names_a_session_that_it_cannot_read_and_frees_the_others(home: Path, tmp_path: Path) -> None:
    for name in ("damaged", "good"):
        shutil.copytree(home / "root" / "s", tmp_path / name)
    journal = tmp_path / "damaged" / "journal.jsonl"
    journal.write_text(journal.read_text() + '{"event": "finished"}\n')
    done = trtdebug("gc", tmp_path, "--sessions", "--keep", "0", "--yes")
    assert done.code == 2
    assert done.stderr.startswith(
        f"error: line {len(journal.read_text().splitlines())} of {journal} is damaged"
    )
    assert done.stdout.startswith(f"{tmp_path / 'good'}: ")
    assert [p.name for p in tmp_path.iterdir()] == ["damaged"]


def test_view_shows_the_place(home: Path, tmp_path: Path) -> None:
    done = trtdebug("view", home / "root" / "s", "--hops", "1", "--output", tmp_path / "v.onnx")
    assert (done.code, "around square, root" in done.stdout) == (0, True)
    shown = {n.name for n in load_model(tmp_path / "v.onnx").graph.node}
    assert shown == {"grow", "square", "root", "last"}
    trtdebug(
        "view", home / "m.onnx", "--nodes", "first..grow", "--hops", "0", "--output", tmp_path / "w.onnx"
    )
    assert {n.name for n in load_model(tmp_path / "w.onnx").graph.node} == {"first", "grow"}


def test_compare_sorted_and_as_csv(home: Path, tmp_path: Path) -> None:
    line = [
        "compare",
        home / "m.onnx",
        "--fp16",
        "--candidate",
        "emulator",
        "--quiet",
        "--session",
        tmp_path / "s",
    ]
    trtdebug(*line, "--sort", "propagated", "--csv", tmp_path / "t.csv")
    rows = [row.split(",") for row in (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()]
    assert rows[0][:4] == ["tensor", "node", "op", "status"]
    assert [r[0] for r in rows[1:]][:3] == ["y", "c", "d"]  # they hold Inf, y the most
    printed = trtdebug(*line, "--csv", "-").stdout.splitlines()
    assert [r.partition(",")[0] for r in printed[1:]] == ["a", "b", "c", "d", "y"]
    assert trtdebug(*line, "--sort", "nothing").code == 2
