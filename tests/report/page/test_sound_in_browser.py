"""The sound of a page in a real browser: muted at first, heard on a click, and in step with what is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from attcell.report.page.page import write_report
from attcell.types import AttentionTrack, Hearing, Prediction, SoundTrack
from tests.clicks import MOMENTS, write_clicks
from tests.report.page.conftest import OpenedPage

pytestmark = pytest.mark.browser

SECONDS, EVERY, WINDOW = 4.0, 0.2, 0.96
LIMIT = 0.1  # seconds that sound and overlay may be apart


def heard(video: Path) -> Prediction:
    """What a network might say of it: a sample every 0.2 s, which looks at the frame and hears the sound."""
    starts = np.arange(0, SECONDS, EVERY)
    count = len(starts)
    seconds = np.stack([starts, starts + EVERY], axis=1)
    maps = {
        "frame": np.full((count, 3, 3), 1 / 9, np.float32),
        "audio": np.full((count, 6, 4), 1 / 24, np.float32),
    }
    segments = AttentionTrack(
        seconds,
        starts,
        np.zeros(count),
        np.full(count, 1 / count),
        maps,
        (0.0, 0.0, 1.0, 1.0),
        hearing={"audio": Hearing(WINDOW, (125.0, 7500.0))},
    )
    loudness = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
    sound = SoundTrack(
        (0.0, SECONDS), np.zeros((200, 2), np.float32), loudness, {"audio": np.zeros((count, 24, 16))}
    )
    return Prediction(
        video=str(video),
        labels=("clap", "rest"),
        scores=np.array([0.75, 0.25]),
        duration_seconds=SECONDS,
        segments=segments,
        frames=np.zeros((count, 48, 64, 3), np.uint8),
        sound=sound,
    )


@pytest.fixture
def shown(opened: Callable[..., OpenedPage], tmp_path: Path) -> Callable[[Prediction], OpenedPage]:
    """Write a prediction's page, open it, and wait for the video."""

    def show(prediction: Prediction) -> OpenedPage:
        write_report([prediction], tmp_path / "page.html")
        page = opened(tmp_path / "page.html")
        page.wait("document.querySelector('.player video')?.readyState >= 2")
        return page

    return show


# Plays the video from its beginning with the sound on, and notes at each redraw of the page: the time of the
# video, when the latest click began (by the samples that were heard since), how bright the picture is, and
# what the page shows. All times are on the video's clock, in seconds.
_LISTENER = """async () => {
  const video = document.querySelector(".player video"), section = document.querySelector("#v1");
  const context = new AudioContext();
  await context.resume();
  const ear = context.createAnalyser(), canvas = document.createElement("canvas");
  ear.fftSize = 32768;
  context.createMediaElementSource(video).connect(ear).connect(context.destination);
  canvas.width = canvas.height = 1;
  const eye = canvas.getContext("2d", { willReadFrequently: true }), wave = new Float32Array(ear.fftSize);
  document.querySelector("[data-sound]").click();
  video.currentTime = 0;
  await new Promise((done) => video.addEventListener("seeked", done, { once: true }));
  const seen = [];
  document.querySelector("[data-play]").click();
  await new Promise((done) => {
    function look() {
      const now = video.currentTime;
      ear.getFloatTimeDomainData(wave);
      let click = null, quiet = 0;
      for (let i = 0; i < wave.length; i++) {
        if (Math.abs(wave[i]) < .2) { quiet += 1; continue; }
        if (quiet > 4000) click = now - (wave.length - i) / context.sampleRate;
        quiet = 0;
      }
      eye.drawImage(video, 0, 0, 1, 1);
      seen.push({
        now, click, bright: eye.getImageData(0, 0, 1, 1).data[0] > 128, sample: section.dataset.drawn,
        head: parseFloat(section.querySelector(".playhead").style.left),
        left: parseFloat(section.querySelector(".sounding .now").style.left),
      });
      if (video.ended || now > 3.4) done(); else requestAnimationFrame(look);
    }
    look();
  });
  video.pause();
  return seen;
}"""


@pytest.mark.parametrize("name", ["clicks.mp4", "clicks.avi"])
def test_sound_picture_and_overlay_are_in_step(
    name: str, shown: Callable[[Prediction], OpenedPage], tmp_path: Path
) -> None:
    page = shown(heard(write_clicks(tmp_path / name)))
    seen = page.run(_LISTENER)
    late = [row["now"] - float(row["sample"].split(":")[1]) * EVERY for row in seen]
    assert min(late) > -LIMIT
    assert max(late) < EVERY + LIMIT
    for row in seen:
        assert row["head"] / 100 * SECONDS == pytest.approx(row["now"], abs=LIMIT)
        middle = row["left"] / 100 * SECONDS + WINDOW / 2
        assert middle == pytest.approx(float(row["sample"].split(":")[1]) * EVERY, abs=0.01)
    heard_at = np.array([row["click"] for row in seen if row["click"] is not None])
    pairs = list(pairwise(seen))
    whitened = [after["now"] for before, after in pairs if after["bright"] > before["bright"]]
    assert len(whitened) == len(MOMENTS)
    for moment, flash in zip(MOMENTS, whitened, strict=True):
        near = heard_at[np.abs(heard_at - moment) < 0.4]
        assert np.median(near) == pytest.approx(moment, abs=LIMIT)
        gap = max(after["now"] - before["now"] for before, after in pairs if after["now"] <= flash)
        assert flash == pytest.approx(moment, abs=LIMIT + gap)
    assert page.complaints == []


def test_it_is_muted_until_sound_is_asked_for(
    shown: Callable[[Prediction], OpenedPage], tmp_path: Path
) -> None:
    prediction = heard(write_clicks(tmp_path / "clicks.mp4"))
    page = shown(replace(prediction, sound=None, segments=replace(prediction.segments, hearing={})))
    video, button = "document.querySelector('.player video')", "document.querySelector('[data-sound]')"
    assert page.run(f"{video}.muted")
    page.run(f"{video}.play()")
    assert page.run(f"{video}.muted")
    page.run(f"{button}.click()")
    assert not page.run(f"{video}.muted || {video}.paused || {video}.volume < 1")
    assert page.run(f"{button}.textContent") == "Turn sound off"
    page.run(f"{button}.click()")
    assert page.run(f"{video}.muted")
    assert page.run(f"{button}.textContent") == "Turn sound on"


def test_a_click_on_the_track_of_sound_goes_there(
    shown: Callable[[Prediction], OpenedPage], tmp_path: Path
) -> None:
    page = shown(heard(write_clicks(tmp_path / "clicks.mp4")))
    page.run("document.querySelector('.soundtrack').scrollIntoView({ block: 'center', behavior: 'instant' })")
    box = page.run(
        "JSON.parse(JSON.stringify(document.querySelector('.soundtrack').getBoundingClientRect()))"
    )
    page.tab.mouse.click(box["left"] + 0.75 * box["width"], box["top"] + box["height"] / 2)
    page.wait("Math.abs(document.querySelector('.player video').currentTime - 3) < 0.05")
    assert page.run("document.querySelector('#v1').dataset.shown") == "16"
    assert page.run("document.querySelector('.sounding .heat').checkVisibility()")
    page.run("document.querySelector('.toggle input').click()")
    assert not page.run("document.querySelector('.sounding .heat').checkVisibility()")
    assert page.complaints == []
