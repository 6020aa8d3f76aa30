"""The page in a real browser: its script runs under its own policy, and keys, clicks and switches work."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from attcell.report.page.page import write_report
from attcell.types import Detection, Prediction
from tests.report.page.conftest import OpenedPage

pytestmark = pytest.mark.browser

# Acts as a person would, and gives what the page then shows.
_VISITOR = """() => {
  const found = {}, video = document.querySelector("#v1");
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
  found.visited = shown.join(" ");
  const heats = [...video.querySelectorAll(".stage .heat")];
  const seen = () => heats.map((heat) => heat.checkVisibility() ? 1 : 0).join("");
  const states = [seen()];
  video.querySelector('.streams input[value="1"]').click(); states.push(seen());
  video.querySelector(".toggle input").click(); states.push(seen());
  found.heats = states.join(" ");
  const slider = video.querySelector(".strength input");
  slider.value = 25; slider.dispatchEvent(new Event("input"));
  found.opacity = getComputedStyle(video.querySelector(".heat")).opacity;
  const source = (where) => video.querySelector(where + " .frame").src;
  found.large = source(".stage") === source(".segment.shown");
  found.wide = document.documentElement.scrollWidth > window.innerWidth;
  return found;
}"""


def test_the_script_runs_under_the_pages_policy(
    opened: Callable[..., OpenedPage], make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    nasty = (
        '</script><script>document.documentElement.dataset.broken = 1</script>"><img src=x onerror=alert(1)>'
    )
    page = tmp_path / "r.html"
    write_report([make_prediction(video=nasty, labels=(nasty, "b")), make_prediction()], page)
    seen = opened(page, "#v2-s3")
    assert seen.run("document.documentElement.dataset.ready") == "8"
    dom = seen.tab.content()
    assert "data-broken" not in dom
    assert seen.complaints == []
    (second,) = re.findall(r'<section[^>]*id="v2"[^>]*>', dom)
    assert 'data-shown="3"' in second
    assert re.findall(r'<span class="at" data-field="at">([^<]*)<', dom)[1] == "00:08.2"
    places = re.findall(
        r'(?:src|href)="([^"]*)"', re.sub(r"<(script|style).*?</\1>", "", dom, flags=re.DOTALL)
    )
    assert [place[:50] for place in places if not place.startswith(("data:", "#"))] == []


def test_names_notes_and_the_model_run_nothing_and_ask_nobody(
    opened: Callable[..., OpenedPage], make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    address = "http://127.0.0.1:9/x"
    broken = "document.documentElement.dataset.broken = 1"
    evil = (
        f"</script><script>{broken}</script><!--<script>]]>\"'><img src={address} onerror='{broken}'>"
        f"<svg/onload='{broken}'><style>@import url({address});</style><link rel=stylesheet href={address}>"
        f"<iframe src='javascript:{broken}'></iframe><meta http-equiv=refresh content='0;url={address}'>"
        f"<base href={address}>{{{{ 7 * 7 }}}}{{% raise %}}${{alert(1)}}\u2028\u202e\x1b[2J"
    )
    segments = replace(make_prediction().segments, hearing={})
    maps = {evil: segments.spatial_attention["frame"], "flow": segments.spatial_attention["frame"]}
    found = Detection(evil, 3.0, 6.0, 0.9)
    prediction = replace(
        make_prediction(video=f"{evil}.mp4", labels=(evil, "b"), notes=(evil,), detections=(found,)),
        segments=replace(segments, spatial_attention=maps),
    )
    page = tmp_path / "r.html"
    write_report([prediction, make_prediction(video=f"javascript:{broken}//.mp4")], page, {evil: evil})
    seen = opened(page)
    seen.run("() => document.querySelectorAll('button, a, summary, input').forEach((each) => each.click())")
    seen.tab.wait_for_timeout(200)
    assert seen.run("document.documentElement.dataset.broken") is None
    assert seen.asked_for <= {page.as_uri(), "data", "blob"}
    assert seen.complaints == []
    assert seen.run("document.querySelectorAll('iframe, link[rel=stylesheet], base').length") == 0
    assert seen.tab.url.split("#", maxsplit=1)[0] == page.as_uri()


def test_keys_clicks_and_switches(
    opened: Callable[..., OpenedPage], make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    page = tmp_path / "r.html"
    prediction = make_prediction(num_segments=5, streams=("frame", "flow"))
    write_report([prediction], page)
    seen = opened(page, width=1200, height=1200)
    found = seen.run(_VISITOR)
    assert seen.complaints == []
    times = {n: f"{n}@00:{2 * n + 1:02d}.0" for n in range(1, 6)}
    first = int(prediction.temporal_attention.argmax()) + 1
    wanted = [first, 1, 2, 5, 5, 4, 2, 4, 3, 5, 3]
    assert found["visited"].split() == [times[n] for n in wanted]
    assert found["heats"] == "100 010 000"
    assert found["opacity"] == "0.25"
    assert found["large"] is True
    assert found["wide"] is False


# Chooses the stream of flow in the second step, then takes the colours, then the attention away.
_FLOW_VISITOR = """() => {
  const found = {}, video = document.querySelector("#v1");
  const visible = (element) => element.checkVisibility() ? 1 : 0;
  const seen = () => [".stage img.flow", ".stage .heat.shade", ".motion", ".wheel"]
    .map((name) => visible(video.querySelector(name))).join("");
  const states = [seen()];
  video.querySelector('.streams input[value="1"]').click(); states.push(seen());
  video.querySelector(".motion input").click(); states.push(seen());
  video.querySelector(".motion input").click();
  video.querySelector(".toggle input").click(); states.push(seen());
  found.flow = states.join(" ");
  const from = (n) => video.querySelectorAll(".segment")[n].querySelector("img.flow").src;
  video.querySelectorAll(".cell")[2].click();
  found.moved = video.querySelector(".stage img.flow").src === from(2) && from(2) !== from(1);
  found.weights = video.querySelector(".stage [data-field=weights]").textContent;
  const dashed = [...video.querySelectorAll(".plot .beta")].map((line) => getComputedStyle(line).strokeWidth);
  found.widths = dashed.join(" ");
  return found;
}"""


def test_flow_can_be_chosen_and_late_fusion_tells_each_weight(
    opened: Callable[..., OpenedPage], make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    flow = np.zeros((4, 2, 9, 16), np.float32)
    flow[:, 0] = np.arange(1, 5)[:, None, None]
    own = {"frame": np.array([0.7, 0.1, 0.1, 0.1]), "flow": np.array([0.1, 0.1, 0.2, 0.6])}
    page = tmp_path / "r.html"
    write_report(
        [make_prediction(streams=("frame", "flow"), flow=flow, temporal_attention_by_stream=own)], page
    )
    seen = opened(page, width=1200, height=1200)
    found = seen.run(_FLOW_VISITOR)
    assert seen.complaints == []
    assert found["flow"] == "0000 1111 0111 1011"
    assert found["moved"] is True
    assert found["weights"] == "frame 0.100, flow 0.200"
    assert found["widths"] == "1.75px 3px"
