"""`trtdebug report`: any installed format, from a session's report.json."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from in_process import jobs_run_here
from seed_models import model_of, node, value, weight
from typer.testing import CliRunner

from trtdebug.cli.app import app
from trtdebug.graph.load import save_model


def call(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(w) for w in words])
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    big = np.full((4, 4), 300.0, np.float32)
    model = model_of(
        [node("Add", ["x", "w"], ["h"], "add"), node("Mul", ["h", "h"], ["y"], "square")],
        [value("x", [4, 4])],
        [value("y", [4, 4])],
        [weight("w", big)],
    )
    save_model(model, folder / "m.onnx")
    words = ("--fp16", "--candidate", "emulator", "--session", folder / "s", "--quiet")
    with jobs_run_here():
        code, output = call("--no-plugins", "run", folder / "m.onnx", *words)
    assert code == 1, output
    return folder / "s"


FILES = {
    "json": "report.json",
    "text": "report.txt",
    "sarif": "report.sarif",
    "junit": "report.xml",
    "markdown": "report.md",
    "html": "report.html",
}


@pytest.mark.parametrize("name", FILES)
def test_it_prints_what_the_session_wrote(name: str, session: Path) -> None:
    code, output = call("report", session, "--format", name)
    assert code == 0
    assert output == (session / FILES[name]).read_text()


def test_text_is_the_default(session: Path) -> None:
    assert call("report", session) == call("report", session, "--format", "text")
    assert call("report", session)[1].startswith("DIVERGES: ")


def test_the_formats_name_the_culprit(session: Path) -> None:
    assert "- `square` (precision, fails by itself)" in (session / "report.md").read_text()
    results = json.loads((session / "report.sarif").read_text())["runs"][0]["results"]
    assert [r["properties"]["nodes"] for r in results if r["ruleId"] == "culprit-precision"] == [["square"]]
    names = [c.get("name") for c in ElementTree.parse(session / "report.xml").iter("testcase")]
    assert "y [as built 1, sample s0]" in names


def test_into_a_file(session: Path, tmp_path: Path) -> None:
    code, output = call("report", session, "--format", "sarif", "--out", tmp_path / "a" / "b.sarif")
    assert (code, output) == (0, f"written: {tmp_path}/a/b.sarif\n")
    assert (tmp_path / "a" / "b.sarif").read_text() == (session / "report.sarif").read_text()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.sarif"]


def test_list_tells_what_there_is() -> None:
    code, output = call("--no-plugins", "report", "--format", "list")
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()] == list(FILES)


def test_a_moved_session(session: Path, tmp_path: Path) -> None:
    shutil.copytree(session, tmp_path / "moved")
    shutil.rmtree(tmp_path / "moved" / "trials")
    code, output = call("report", tmp_path / "moved", "--format", "markdown")
    assert (code, output) == (0, (session / "report.md").read_text())


def test_what_goes_wrong_is_one_line(session: Path, tmp_path: Path) -> None:
    for words, said in (
        (
            (session, "--format", "pdf"),
            "error: there is no report format 'pdf'.\nhint: There are: json, text, sarif, ",
        ),
        ((tmp_path,), f"error: {tmp_path} has no report.json: the session is not finished, or is none.\n"),
        ((session, "--out", tmp_path), f"error: {tmp_path} is a folder.\n"),
        ((session, "--out", "/dev/null/x"), "error: /dev/null/x cannot be written: "),
    ):
        code, output = call("report", *words)
        assert code == 2
        assert output.startswith(said)


MODULE = """
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import ReportFormat

@hookimpl
def trtdebug_reports():
    yield ReportFormat("line", "the verdict", "report.line", render=lambda report: report["verdict"] + "!")
    yield ReportFormat("csv", "a table", "report.csv", render=lambda report: "a,b\\r\\n")
    yield ReportFormat("broken", "raises", "report.broken", render=lambda report: 1 / 0)
    yield ReportFormat("none", "gives nothing", "report.none", render=lambda report: None)
    yield ReportFormat("half", "can't be written", "report.half", render=lambda report: "\\ud800")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The distribution trtdebug-formats is installed."""
    info = tmp_path / "trtdebug_formats-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trtdebug-formats\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[trtdebug]\nformats = trtdebug_formats\n")
    (tmp_path / "trtdebug_formats.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("installed")
def test_lines_that_end_by_two_characters_are_printed_so(session: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(session), "--format", "csv"])
    assert done.stdout_bytes == b"a,b\r\n"


@pytest.mark.usefixtures("installed")
def test_formats_of_extensions(session: Path) -> None:
    assert call("report", session, "--format", "line") == (0, "diverges!\n")
    rows = [line.split(maxsplit=1) for line in call("report", "--format", "list")[1].splitlines()]
    assert ["line", "the verdict (from trtdebug-formats 1.2)"] in rows
    for name, why in (
        ("broken", "ZeroDivisionError: division by zero"),
        ("none", "TypeError: none has to give text; it gives NoneType"),
        ("half", "UnicodeEncodeError: "),
    ):
        code, error = call("report", session, "--format", name)
        assert code == 2
        assert error.startswith(f"error: the format {name!r} of trtdebug-formats 1.2 failed: {why}")
