"""report.html by axe-core: contrast, names, roles and keys, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import launched, opened
from transformer_session import make_session

from trtdebug.report.html.render import render_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_session(tmp_path_factory.mktemp("made") / "session", 300, trials=6)
    made.html.write_text(render_html(made.report, made.folder), encoding="utf-8")
    return made.html


def violations(page: Page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{v['id']}: {n['target']} {n['failureSummary']}" for v in found for n in v["nodes"]]


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 400)])
def test_axe_finds_nothing(browser: Browser, report: Path, dark: bool, width: int) -> None:
    with opened(browser, report, dark=dark, width=width) as shown:
        shown.page.fill("#search", "pow")
        for summary in shown.page.locator("summary").all():
            summary.click()
        assert violations(shown.page) == []
        assert shown.do("document.documentElement.scrollWidth") <= width


def test_all_is_reached_by_tab(browser: Browser, report: Path) -> None:
    """Every control has a place in the order of Tab; of the graph one node, from which arrows lead on."""
    with opened(browser, report) as shown:
        reached = set()
        for _ in range(400):
            shown.page.keyboard.press("Tab")
            place = shown.do(
                "(() => { const e = document.activeElement; const s = e.closest('section'); "
                "return e === document.body ? null : `${s ? s.id : ''} ${e.id || e.tagName}`; })()"
            )
            if place is None:
                break
            reached.add(place)
        wanted = {" theme", "graph search", "graph g", "graph graph-fit", "depth depth-plot", "values BUTTON"}
        assert wanted <= reached
        assert {"layers BUTTON", "search-log BUTTON", "fixes DIV", "repeat BUTTON"} <= reached
