"""The page in a real browser: its script runs under its own policy, and keys, clicks and switches work."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from attcell.report.page.page import write_report
from attcell.types import Prediction
from tests.report.page.browser import FLAGS, found_chromium

pytestmark = pytest.mark.browser

_FLAGS = (
    *FLAGS,
    "--enable-logging=stderr",
    "--virtual-time-budget=2000",
    "--window-size=1200,1200",
    "--dump-dom",
)

# Acts as a person would, and writes what the page then shows to attributes of its root.
_VISITOR = """
<script>
  const root = document.documentElement, video = document.querySelector("#v1");
  const cells = video.querySelectorAll(".cell"), shown = [];
  const note = () => shown.push(video.dataset.shown + "@" + video.querySelector(".stage .at").textContent);
  const press = (key) => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", {key, bubbles: true}));
  note();
  cells[0].focus(); note();
  press("ArrowRight"); note();
  press("End"); note();
  press("ArrowRight"); note();
  press("ArrowLeft"); note();
  cells[1].click(); note();
  video.querySelectorAll(".segment")[3].click(); note();
  video.querySelector('[data-step="-1"]').click(); note();
  const box = video.querySelector(".plot").getBoundingClientRect();
  const at = (x) => ({clientX: box.left + x * box.width, clientY: box.top + 5, bubbles: true});
  video.querySelector(".plot").dispatchEvent(new PointerEvent("pointermove", at(0.95))); note();
  video.querySelector(".timeline").dispatchEvent(new PointerEvent("pointerleave")); note();
  root.dataset.visited = shown.join(" ");
  const heats = [...video.querySelectorAll(".stage .heat")];
  const seen = () => heats.map((heat) => heat.checkVisibility() ? 1 : 0).join("");
  const states = [seen()];
  video.querySelector('.streams input[value="1"]').click(); states.push(seen());
  video.querySelector(".toggle input").click(); states.push(seen());
  root.dataset.heats = states.join(" ");
  const slider = video.querySelector(".strength input");
  slider.value = 25; slider.dispatchEvent(new Event("input"));
  root.dataset.opacity = getComputedStyle(video.querySelector(".heat")).opacity;
  const source = (where) => video.querySelector(where + " .frame").src;
  root.dataset.large = source(".stage") === source(".segment.shown");
  root.dataset.wide = document.documentElement.scrollWidth > window.innerWidth;
</script>
"""


@pytest.fixture(scope="module")
def chromium() -> str:
    return found_chromium()


def opened(chromium: str, page: Path, address: str = "") -> tuple[str, str]:
    """The page's elements after its script ran, and what the browser logged."""
    folder = page.parent / "profile"
    done = subprocess.run(
        [chromium, *_FLAGS, f"--user-data-dir={folder}", page.as_uri() + address],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return done.stdout, done.stderr


def attribute(dom: str, name: str) -> str:
    found = re.search(rf'<html[^>]* data-{name}="([^"]*)"', dom)
    assert found, f"no data-{name} on the page; the script did not get so far"
    return found[1]


def test_the_script_runs_under_the_pages_policy(
    chromium: str, make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    nasty = (
        '</script><script>document.documentElement.dataset.broken = 1</script>"><img src=x onerror=alert(1)>'
    )
    page = tmp_path / "r.html"
    write_report([make_prediction(video=nasty, labels=(nasty, "b")), make_prediction()], page)
    dom, log = opened(chromium, page, "#v2-s3")
    assert attribute(dom, "ready") == "8"
    assert "data-broken" not in dom
    assert "CONSOLE" not in log
    (second,) = re.findall(r'<section[^>]*id="v2"[^>]*>', dom)
    assert 'data-shown="3"' in second
    assert re.findall(r'<span class="at" data-field="at">([^<]*)<', dom)[1] == "00:08.2"
    places = re.findall(
        r'(?:src|href)="([^"]*)"', re.sub(r"<(script|style).*?</\1>", "", dom, flags=re.DOTALL)
    )
    assert [place[:50] for place in places if not place.startswith(("data:", "#"))] == []


def test_keys_clicks_and_switches(
    chromium: str, make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    page = tmp_path / "r.html"
    prediction = make_prediction(num_segments=5, streams=("frame", "flow"))
    write_report([prediction], page)
    text = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text(encoding="utf-8"))
    page.write_text(text.replace("</body>", f"{_VISITOR}</body>"), encoding="utf-8")
    dom, log = opened(chromium, page)
    assert "CONSOLE" not in log
    times = {n: f"{n}@00:{2 * n + 1:02d}.0" for n in range(1, 6)}
    first = int(prediction.temporal_attention.argmax()) + 1
    wanted = [first, 1, 2, 5, 5, 4, 2, 4, 3, 5, 3]
    assert attribute(dom, "visited").split() == [times[n] for n in wanted]
    assert attribute(dom, "heats") == "100 010 000"
    assert attribute(dom, "opacity") == "0.25"
    assert attribute(dom, "large") == "true"
    assert attribute(dom, "wide") == "false"


# Chooses the stream of flow in the second step, then takes the colours, then the attention away.
_FLOW_VISITOR = """
<script>
  const root = document.documentElement, video = document.querySelector("#v1");
  const visible = (element) => element.checkVisibility() ? 1 : 0;
  const seen = () => [".stage img.flow", ".stage .heat.shade", ".motion", ".wheel"]
    .map((name) => visible(video.querySelector(name))).join("");
  const states = [seen()];
  video.querySelector('.streams input[value="1"]').click(); states.push(seen());
  video.querySelector(".motion input").click(); states.push(seen());
  video.querySelector(".motion input").click();
  video.querySelector(".toggle input").click(); states.push(seen());
  root.dataset.flow = states.join(" ");
  const from = (n) => video.querySelectorAll(".segment")[n].querySelector("img.flow").src;
  video.querySelectorAll(".cell")[2].click();
  root.dataset.moved = video.querySelector(".stage img.flow").src === from(2) && from(2) !== from(1);
  root.dataset.weights = video.querySelector(".stage [data-field=weights]").textContent;
  const dashed = [...video.querySelectorAll(".plot .beta")].map((line) => getComputedStyle(line).strokeWidth);
  root.dataset.widths = dashed.join(" ");
</script>
"""


def test_flow_can_be_chosen_and_late_fusion_tells_each_weight(
    chromium: str, make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    flow = np.zeros((4, 2, 9, 16), np.float32)
    flow[:, 0] = np.arange(1, 5)[:, None, None]
    own = {"frame": np.array([0.7, 0.1, 0.1, 0.1]), "flow": np.array([0.1, 0.1, 0.2, 0.6])}
    page = tmp_path / "r.html"
    write_report(
        [make_prediction(streams=("frame", "flow"), flow=flow, temporal_attention_by_stream=own)], page
    )
    text = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text(encoding="utf-8"))
    page.write_text(text.replace("</body>", f"{_FLOW_VISITOR}</body>"), encoding="utf-8")
    dom, log = opened(chromium, page)
    assert "CONSOLE" not in log
    assert attribute(dom, "flow") == "0000 1111 0111 1011"
    assert attribute(dom, "moved") == "true"
    assert attribute(dom, "weights") == "frame 0.100, flow 0.200"
    assert attribute(dom, "widths") == "1.75px 3px"
