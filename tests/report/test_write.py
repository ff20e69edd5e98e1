"""Reports into a session's folder, and back."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from diagnoses import CASE, EVIL_NAMES, full

from trtdebug.core.errors import UserError
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import ReportFormat
from trtdebug.report import formats
from trtdebug.report.build import build_report
from trtdebug.report.read import read_report
from trtdebug.report.write import write_reports

REPORT = build_report(CASE, full())


def manager(*filenames: str) -> PluginManager:
    """The built-in formats and an extension with these."""
    own = [ReportFormat(f"own{n}", "", name, lambda report: "mine") for n, name in enumerate(filenames)]
    extension = SimpleNamespace(__name__="extension", trtdebug_reports=hookimpl(lambda: own))
    return PluginManager.load(builtins=(formats, extension), third_party=False)


def test_one_file_a_format(tmp_path: Path) -> None:
    written = write_reports(REPORT, tmp_path, manager("report.own"))
    names = [
        "report.json",
        "report.txt",
        "report.sarif",
        "report.xml",
        "report.md",
        "report.html",
        "report.own",
    ]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert read_report(tmp_path) == REPORT


@pytest.mark.parametrize(
    "filename",
    [
        *("../out", "/tmp/out", "a\\b", "..", ".", "", "nul\0", "case.json", "report.json"),
        *("Case.json", "Report.JSON", "skips.json", "places.json", "preflight.json", "fix", "trials"),
    ],
)
def test_no_file_leaves_the_folder_or_overwrites_another(filename: str, tmp_path: Path) -> None:
    session = tmp_path / "session"
    session.mkdir()
    (session / "case.json").write_text("the case")
    plugins = manager(filename)
    write_reports(REPORT, session, plugins)
    assert [p.plugin for p in plugins.problems] == ["extension"]
    assert (session / "case.json").read_text() == "the case"
    assert read_report(session) == REPORT
    assert [p.name for p in tmp_path.iterdir()] == ["session"]
    assert len(list(session.iterdir())) == 7


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_decide_no_path(name: str, tmp_path: Path) -> None:
    evil = json.loads(json.dumps(REPORT).replace('"/models/norm.onnx"', json.dumps(name)))
    session = tmp_path / "session"
    plugins = manager()
    assert len(write_reports(evil, session, plugins)) == 6
    assert plugins.problems == ()
    assert [p.name for p in tmp_path.iterdir()] == ["session"]
    assert read_report(session) == evil


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "it is no JSON object"),
        ('{"schema": 2}', "its schema is 2"),
        ('{"schema": 1, "verdict": "maybe"}', "its verdict is 'maybe'"),
        ('{"schema": 1, "verdict": "matches"}', "'reason' is missing or damaged"),
    ],
)
def test_a_damaged_report_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(UserError, match=said):
        read_report(tmp_path)


def test_a_session_without_a_report(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no report\.json: the session is not finished"):
        read_report(tmp_path)


def test_a_file_for_a_session_is_said(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").touch()
    with pytest.raises(UserError, match=r"m\.onnx has no report\.json: .* or is none"):
        read_report(tmp_path / "m.onnx")
