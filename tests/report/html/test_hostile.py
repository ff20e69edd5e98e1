"""Names that would run, break out or deceive: in the page they are text, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pytest
from browser import launched, opened
from diagnoses import CASE, EVIL_NAMES, full
from transformer_session import make_session, transformer

from trtdebug.core.diagnosis import Culprit
from trtdebug.report.build import build_report
from trtdebug.report.html.render import render_html
from trtdebug.report.strings import plain

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

EVIL = (
    *(name for name in EVIL_NAMES if name.isprintable() or name.startswith(("\x1b", "line"))),
    "</script><script>window.ran = 1</script>",
    "<!--<script>",
    "{{data}} {{script}}",
    "javascript:window.ran=1",
    "\u2028window.ran=1\u2029",
    "__proto__",
    "constructor",
)
ALIEN = "document.querySelectorAll('img, iframe, object, embed, link, base, form, a[href^=\"java\"]').length"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


def renamed(names: tuple[str, ...]) -> onnx.ModelProto:
    """A small transformer whose nodes and tensors have these names and as many ends as it takes."""
    model = transformer(88)
    new = {
        n.output[0]: f"{names[i % len(names)]}{'' if i < len(names) else i}"
        for i, n in enumerate(model.graph.node)
    }
    for node in model.graph.node:
        node.name = new[node.output[0]]
        node.input[:] = [new.get(t, t) for t in node.input]
        node.output[:] = [new[t] for t in node.output]
    model.graph.output[0].name = new[model.graph.output[0].name]
    return model


def test_names_of_nodes_and_tensors(browser: Browser, tmp_path: Path) -> None:
    made = make_session(tmp_path / "session", 88, renamed(EVIL), trials=4)
    made.html.write_text(render_html(made.report, made.folder), encoding="utf-8")
    with opened(browser, made.html) as shown:
        page = shown.page
        for name in EVIL:
            page.fill("#search", plain(name)[:3000])
            page.press("#search", "Enter")
            assert page.locator("#details h3").text_content() in {
                plain(name),
                *(f"{plain(name)}{i}" for i in range(88)),
            }
        page.click("#graph-fit")
        page.fill("#search", "")
        for button in page.locator("#values-list button").all():
            button.click()
        assert shown.said == []
        assert len(shown.requests) == 1
        assert shown.do("window.ran") is None
        assert shown.do(ALIEN) == 0
        assert shown.do("document.scripts.length") == 2
        assert shown.do("document.documentElement.scrollWidth") <= 1280


def test_names_in_the_words(browser: Browser, tmp_path: Path) -> None:
    culprits = tuple(Culprit((name,), "precision", name) for name in EVIL)
    diagnosis = replace(full(), culprits=culprits, reason=EVIL[0], unknown=EVIL, rule="<b>rule</b>")
    report = build_report(
        replace(CASE, model=f"/m/{EVIL[1]}", command="<script>window.ran = 1</script>"), diagnosis
    )
    (tmp_path / "report.html").write_text(render_html(report), encoding="utf-8")
    with opened(browser, tmp_path / "report.html") as shown:
        assert shown.said == []
        assert shown.do("window.ran") is None
        assert shown.do(ALIEN) == 0
        assert shown.do("document.querySelectorAll('#unknown li').length") == len(EVIL)
        assert "at hand" in shown.page.locator("#graph-lead").inner_text()
        assert shown.do("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize("attack", ["<img src=x onerror=window.ran=1>", "<script>window.ran = 1</script>"])
def test_the_policy_holds_where_escaping_would_not(browser: Browser, tmp_path: Path, attack: str) -> None:
    """A second wall: markup that stood in the page unescaped would load nothing and run nothing."""
    text = render_html(build_report(CASE, full())).replace("<main>", f"<main>{attack}")
    (tmp_path / "report.html").write_text(text, encoding="utf-8")
    with opened(browser, tmp_path / "report.html") as shown:
        assert shown.do("window.ran") is None
        assert all("Content Security Policy" in said for said in shown.said)
        assert shown.said
