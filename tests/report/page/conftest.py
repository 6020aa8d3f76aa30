"""A headless Chromium, driven by Playwright: what the page does, says and asks for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--autoplay-policy=no-user-gesture-required",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
)
PATIENCE_MS = 60_000


class OpenedPage:
    """A report in a tab of its own, with everything that it logs and asks for from the start.

    Attributes:
        tab: Playwright's page, for mouse and keyboard.
        complaints: what the page logged, and exceptions; not what a test's own reading of pixels brings.
        asked_for: the kinds of addresses that were asked for: the part before the colon, and file names.
    """

    def __init__(self, tab: Any, file: Path, anchor: str = "") -> None:
        self.tab = tab
        self.complaints: list[str] = []
        self.asked_for: set[str] = set()
        tab.set_default_timeout(PATIENCE_MS)
        tab.on("console", lambda message: self._hear(message.text))
        tab.on("pageerror", lambda error: self._hear(str(error)))
        tab.on("request", lambda request: self._note(request.url))
        tab.goto(file.as_uri() + anchor)
        self.wait("document.documentElement.dataset.ready")

    def run(self, script: str) -> Any:
        """What a piece of JavaScript, or a function without arguments, gives; promises are waited for."""
        return self.tab.evaluate(script)

    def wait(self, condition: str) -> None:
        """Wait until a piece of JavaScript is true."""
        self.tab.wait_for_function(f"() => Boolean({condition})")

    def _hear(self, text: str) -> None:
        if "readback operations" not in text:
            self.complaints.append(text)

    def _note(self, address: str) -> None:
        page = address.split("#", maxsplit=1)[0]
        self.asked_for.add(page if page.startswith("file:") else page.split(":")[0])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Playwright's browser, started once a file, or a visible skip."""
    place = next(filter(None, map(shutil.which, NAMES)), None)
    if place is None:
        pytest.skip(
            f"no browser found on the path (looked for {', '.join(NAMES)}); install Debian's chromium"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=place, args=list(FLAGS), chromium_sandbox=False, timeout=PATIENCE_MS
        )
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any) -> Iterator[Callable[..., OpenedPage]]:
    """Open a page's file, at an anchor if one is given, in a fresh context."""
    contexts = []

    def open_page(file: Path, anchor: str = "", width: int = 1200, height: int = 1600) -> OpenedPage:
        contexts.append(chromium.new_context(viewport={"width": width, "height": height}))
        return OpenedPage(contexts[-1].new_page(), file, anchor)

    yield open_page
    for context in contexts:
        context.close()
