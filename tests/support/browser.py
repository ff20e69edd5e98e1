"""A headless Chromium of the system, driven by Playwright, and pages that tell what they did.

python tests/support/browser.py    installs Chromium by apt where it is missing and may be
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """Where it is; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser. Skips the test where there is none, and fails it in CI, where there has to be one."""
    path = chromium()
    if path is None:
        missing = "there is no Chromium here (make setup installs it for root, where apt is at hand)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_SWITCHES)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A page of a report, and all that it said and asked for since it was opened."""

    page: Page
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def do(self, script: str) -> Any:
        """What a script gives in the page."""
        return self.page.evaluate(script)

    @property
    def first_paint(self) -> float:
        """Seconds from the navigation to the first content on the screen."""
        entry = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        return float(self.do(entry)) / 1000


@contextmanager
def opened(browser: Browser, file: Path, *, dark: bool = False, width: int = 1280) -> Iterator[Opened]:
    """Opens a report's file, and waits until all of it is there."""
    scheme: Any = "dark" if dark else "light"
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    found = Opened(page)
    page.on("console", lambda message: found.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.said.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (found.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: found.requests.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    try:
        yield found
    finally:
        context.close()


def main() -> int:
    """Installs Chromium where it is missing; 0 where there is one in the end."""
    apt = shutil.which("apt-get")
    if chromium() is None and apt is not None and os.geteuid() == 0:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (("update", "-qq"), ("install", "-y", "-qq", "--no-install-recommends", "chromium")):
            subprocess.run([apt, *words], env=environment, stdout=subprocess.DEVNULL, check=False)
    return 0 if chromium() is not None else 1


if __name__ == "__main__":
    sys.exit(main())
