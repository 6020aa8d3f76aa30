"""A headless Chromium, driven through its DevTools protocol: what the page does, says and asks for."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
)
_DRIVEN = (
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
    "--window-size=1200,1600",
)
PATIENCE_SECONDS = 60


def found_chromium() -> str:
    """The browser's place, or a visible skip."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(
            f"no browser found on the path (looked for {', '.join(NAMES)}); install Debian's chromium"
        )
    return found


class Page:
    """One open page."""

    def __init__(self, socket: ClientConnection, session: str) -> None:
        self._socket = socket
        self._session = session
        self._number = 1000
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> Any:
        """One command; events that come meanwhile are kept."""
        self._number += 1
        message = {
            "id": self._number,
            "method": method,
            "params": parameters,
            "sessionId": self._session,
        }
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE_SECONDS))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def run(self, script: str) -> Any:
        """What a piece of JavaScript gives; promises are waited for."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a piece of JavaScript is true."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < end, f"{condition} did not come"
            time.sleep(0.05)

    def click(self, x: float, y: float) -> None:
        """A click of the mouse, in pixels of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            buttons = 1 if kind == "mousePressed" else 0
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1
            )

    def press(self, key: str, code: int, text: str = "") -> None:
        """A key, to the element that has the focus."""
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def picture(self, file: Path, width: int = 1200, height: int = 1600) -> None:
        """A screenshot."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        shot = self.call("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """What the page logged, and exceptions; not what a test's own reading of pixels brings."""
        said = []
        for event in self.events:
            if event["method"] == "Runtime.exceptionThrown":
                said.append(str(event["params"]["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled":
                said.append(str(event["params"]["args"]))
            elif event["method"] == "Log.entryAdded":
                said.append(event["params"]["entry"]["text"])
        return [text for text in said if "readback operations" not in text]

    def asked_for(self) -> set[str]:
        """The kinds of addresses that were asked for: the part before the colon, and file names."""
        requests = (event for event in self.events if event["method"] == "Network.requestWillBeSent")
        addresses = [event["params"]["request"]["url"] for event in requests]
        return {of if of.startswith("file:") else of.split(":")[0] for of in addresses}


@contextmanager
def opened_page(page: Path, profile: Path) -> Iterator[Page]:
    """The page in a browser that was started for it."""
    chromium = found_chromium()
    with subprocess.Popen(
        [chromium, *FLAGS, *_DRIVEN, f"--user-data-dir={profile}", "about:blank"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as browser:
        try:
            assert browser.stderr is not None
            address = next(
                match[1] for line in browser.stderr if (match := re.search(r"listening on (ws://\S+)", line))
            )
            with connect(address, max_size=None, proxy=None) as socket:
                yield _attached(socket, page)
        finally:
            browser.kill()


def _attached(socket: ClientConnection, file: Path) -> Page:
    """A new page that shows the file; all events are kept from the start."""

    def ask(number: int, method: str, **parameters: Any) -> Any:
        socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(socket.recv(timeout=PATIENCE_SECONDS))
            if answer.get("id") == number:
                return answer["result"]

    target = ask(1, "Target.createTarget", url="about:blank")["targetId"]
    session = ask(2, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    page = Page(socket, session)
    for domain in ("Page", "Runtime", "Log", "Network"):
        page.call(f"{domain}.enable")
    page.call("Page.navigate", url=file.as_uri())
    page.wait("document.documentElement?.dataset.ready")
    return page
