"""What people see on a terminal, what is written elsewhere, and that both say the same."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from in_process import trtdebug
from terminals import ANSI, CURSOR, on_terminal
from typer.testing import CliRunner

from trtdebug.cli.live import LiveView
from trtdebug.cli.progress import Account, ProgressLines, duration
from trtdebug.cli.terminal import has_colours, is_terminal, styled, want_colours
from trtdebug.core.outcome import Outcome
from trtdebug.stages.context import Progress

CANDIDATE, REFERENCE = (SimpleNamespace(role=role, purpose="p\x1b") for role in ("candidate", "reference"))


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The demo on a terminal: its session, all that was shown, and report.txt."""
    folder = tmp_path_factory.mktemp("demo")
    seen = on_terminal("demo", "--candidate", "emulator", "--session", "s", cwd=folder)
    assert seen.code == 0, seen.text
    return folder / "s", seen.raw, (folder / "s" / "report.txt").read_text(encoding="utf-8")


def test_a_live_view_on_a_terminal_and_the_report_after_it(demo: tuple[Path, str, str]) -> None:
    _, raw, report = demo
    assert CURSOR.search(raw)
    assert "observe: 23 nodes, each fed by the reference" in raw
    shown, _, last = raw.replace("\r\n", "\n").rpartition("\x1b[?25h")
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") + 1  # the cursor is there again
    assert not CURSOR.search(last.partition("DIVERGES")[2])
    assert ANSI.sub("", last).lstrip("\r") == f"{report}session s\npage    s/report.html, for a browser\n"
    assert "\x1b[1;31mDIVERGES:\x1b[0m" in last


def test_no_colours_where_nobody_wants_them(demo: tuple[Path, str, str]) -> None:
    session, _, report = demo
    seen = on_terminal("report", session, "--no-color", cwd=session.parent)
    assert seen.raw.replace("\r\n", "\n") == report


def test_in_a_pipe_there_are_plain_lines(demo: tuple[Path, str, str]) -> None:
    session, _, report = demo
    done = trtdebug("report", session)
    assert done.stdout == report


def test_json_is_all_that_a_terminal_gets_with_json_and_quiet(demo: tuple[Path, str, str]) -> None:
    session, *_ = demo
    line = ("bisect", session / "demo.onnx", "--fp16", "--candidate", "emulator", "--session", session)
    seen = on_terminal(*line, "--json", "--quiet", cwd=session.parent)
    assert seen.code == 1
    assert len(json.loads(seen.raw)["culprits"]) == 4


def test_the_tables_of_a_terminal_say_what_the_plain_lines_say(demo: tuple[Path, str, str]) -> None:
    session, *_ = demo
    line = ("check", session / "demo.onnx", "--fp16")
    plain, data = trtdebug(*line), json.loads(trtdebug(*line, "--json").stdout)
    seen = on_terminal(*line, cwd=session.parent, COLUMNS="1000")
    assert seen.code == plain.code == 1
    assert len(data) > 2
    for finding in data:
        for fact in (
            finding["severity"],
            finding["id"],
            finding["node"],
            finding["message"],
            finding["mitigation"],
        ):
            assert (fact or "") in seen.text
            assert (fact or "") in plain.stdout
    assert "─" in seen.text


def test_the_colours_change_no_character(demo: tuple[Path, str, str]) -> None:
    *_, report = demo
    assert styled(report) != report
    assert ANSI.sub("", styled(report)) == report


def test_plain_lines_tell_what_is_left_and_what_the_cache_saved(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ProgressLines()
    lines.progress(Progress("sanity", "reference"))
    lines.trial(REFERENCE, Outcome("pass"), False)
    lines.trial(CANDIDATE, Outcome("fail", build_seconds=100, run_seconds=8), True)
    lines.trial(CANDIDATE, Outcome("untestable", reason="it died\x1b[2J"), False)
    lines.progress(Progress("localise", "halves", 41, 812, 5))
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "trial 1: sanity: reference"
    assert told[1] == "  untestable (p\\x1b): it died\\x1b[2J"
    assert told[2].startswith("trial 3: 41 of 812 nodes left, about 5 trials, ")
    assert told[2].endswith(", halves; cached 1 (2 min saved)")


def test_the_live_view_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    view = LiveView(colours=False)
    view.trial(CANDIDATE, Outcome("fail", build_seconds=100, run_seconds=8), True)
    view.progress(Progress("localise", "[bold]halves[/bold]\x1b[2J", 41, 812, 5))
    view.stop()
    shown = ANSI.sub("", screen.getvalue())
    assert "localise: 41 of 812 nodes left, about 5 trials, [bold]halves[/bold]\\x1b[2J" in shown
    assert "41 of 812 left" in shown
    assert "trial 2 · cached 1 (2 min saved) · 0:00" in shown


def test_durations() -> None:
    assert [duration(s) for s in (0, 1.4, 89, 91, 600)] == ["1 s", "1 s", "89 s", "2 min", "10 min"]
    assert Account().from_cache() == ""


def test_who_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert has_colours(Screen())
    assert not is_terminal(io.StringIO())
    want_colours(False)
    assert not has_colours(Screen())
    want_colours(True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colours(Screen())
    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal(Screen())


def test_every_command_takes_no_color() -> None:
    from trtdebug.cli.app import app

    for words in (["run", "--no-color", "--help"], ["--no-color", "doctor", "--help"]):
        assert CliRunner().invoke(app, words).exit_code == 0
