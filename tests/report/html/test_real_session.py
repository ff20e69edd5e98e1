"""The page that a real session leaves: the bundled sample, run on the emulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Opened, launched, opened
from in_process import jobs_run_here, trtdebug

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real") / "session"
    with jobs_run_here():
        done = trtdebug("--no-plugins", "demo", "--session", folder, "--candidate", "emulator")
    assert done.code == 0
    return folder


@pytest.fixture(scope="module")
def shown(session: Path) -> Iterator[Opened]:
    with launched() as browser, opened(browser, session / "report.html") as page:
        yield page
        assert page.said == []
        assert len(page.requests) == 1


def test_the_cause_is_on_the_first_screen_and_chosen_in_the_graph(shown: Opened, session: Path) -> None:
    report = json.loads((session / "report.json").read_text())
    first = report["culprits"][0]["nodes"][0]
    assert shown.page.locator("#details h3").inner_text() == first
    assert first in shown.page.locator("#verdict").inner_text()
    assert shown.page.locator("#graph-view .culprit").count() == sum(
        len(c["nodes"]) for c in report["culprits"]
    )
    assert shown.page.locator("#graph-view .pinned").count() == 4


def test_it_says_how_far_the_values_leave_fp16(shown: Opened) -> None:
    assert "FP16 ends at 65504" in shown.page.locator("#verdict").inner_text()
    assert "are NaN or Inf" in shown.page.locator("#values-figure").inner_text()


def test_every_node_was_seen_alone_and_in_the_candidate(shown: Opened) -> None:
    cells = shown.page.locator("#depth-table tbody td.number").all_inner_texts()
    assert cells
    assert "not seen" not in cells


def test_what_the_emulator_cannot_show_is_said(shown: Opened) -> None:
    assert "shows no engine layers" in shown.page.locator("#layers-lead").inner_text()
    assert "Latency was not measured" in shown.page.locator("#fixes").inner_text()


def test_all_trials_are_told(shown: Opened, session: Path) -> None:
    events = [json.loads(line) for line in (session / "journal.jsonl").read_text().splitlines()]
    purposes = {e["purpose"] for e in events if e["event"] == "trial_finished"}
    told = shown.page.locator("#search-log-table tbody").inner_text()
    of_the_reference = ("reference", "rounding emulated", "19 nodes that lose digits only")
    assert purposes >= set(of_the_reference) - {"rounding emulated"}
    assert all(
        p in told for p in purposes.difference(of_the_reference) if not p.startswith("nodes isolated,")
    )


def test_written_again_it_is_the_same(session: Path) -> None:
    done = trtdebug("--no-plugins", "report", session, "--format", "html")
    assert done.stdout == (session / "report.html").read_text(encoding="utf-8")
