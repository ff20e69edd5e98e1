"""The documentation's site: built strictly, so with no broken link or anchor; nothing in it comes from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from doc_blocks import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
_MARKDOWN_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`make docs`, built elsewhere."""
    if "CI" not in os.environ:
        pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        # not --quiet: then nothing would be counted, and everything pass
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Documentation built" in done.stderr
    assert "WARNING" not in done.stderr
    return folder


class _Loads(HTMLParser):
    """What a browser would fetch to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        url = given.get(_LOADS.get(tag, ""))
        if url and not (tag == "link" and given.get("rel") in ("canonical", "prev", "next")):
            self.urls.append(url)


def test_the_site_builds_and_needs_no_network(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= len(PAGES)
    for page in pages:
        loads = _Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        assert not [u for u in loads.urls if urlsplit(u).scheme in ("http", "https") or u.startswith("//")], (
            page
        )


def test_every_page_is_in_the_nav_once(site: Path) -> None:
    start = (site / "troubleshooting.html").read_text(encoding="utf-8")
    nav = start.partition('<nav class="md-nav md-nav--primary"')[2].partition('data-md-type="toc"')[0]
    assert nav
    for page in PAGES:
        html = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert html == "troubleshooting.html" or nav.count(f'<a href="{html}" class="md-nav__link"') == 1, (
            html
        )


def test_the_command_line_is_all_there(site: Path) -> None:
    text = (site / "cli.html").read_text(encoding="utf-8")
    assert 'id="trtdebug-run"' in text
    assert 'id="trtdebug-ext-list"' in text
    assert "--precision" not in text
    assert "--fix-builds" in text


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Files exist; addresses of other sites have their form (they are not called)."""
    for url in links(page):
        parts = urlsplit(url)
        if parts.scheme:
            assert parts.scheme in ("https", "http", "mailto"), url
            assert parts.scheme == "mailto" or re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc), url
        elif parts.path and parts.path != "cli.md" and not parts.path.endswith("/cli.md"):
            assert (page.parent / parts.path).exists(), f"{page.name}: {url}"


def links(page: Path) -> Iterator[str]:
    """Targets of the links outside of code."""
    inside = {n for b in blocks(page) for n in range(b.line, b.line + len(b.text) + 2)}
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if number not in inside:
            yield from _MARKDOWN_LINK.findall(re.sub(r"`[^`]*`", "", line))
