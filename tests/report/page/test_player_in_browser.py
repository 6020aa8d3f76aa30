"""The video playing in the page, in a real browser: it plays, seeks, follows, and the overlay lies right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from attcell.report.page.page import write_report
from attcell.types import AttentionTrack, Detection, Prediction
from tests.moving import write_frames
from tests.report.page.conftest import OpenedPage
from tests.small_ready import frame, model

pytestmark = pytest.mark.browser

NUM_FRAMES, RATE, SIZE, SIDE = 100, 25, (128, 96), 7  # 4 seconds; a bright actor crosses the picture
AREA = (0.125, 0.0, 0.875, 1.0)


def place_of(number: int) -> tuple[float, float]:
    """Where the actor's middle is in a frame, as fractions of the area that is seen."""
    return 0.15 + 0.7 * number / NUM_FRAMES, 0.8 - 0.6 * number / NUM_FRAMES


def write_actor(path: Path, codec: str = "libx264") -> Path:
    """A bright square on a dark ground, crossing the picture."""
    width, height = SIZE
    y, x = np.mgrid[:height, :width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(NUM_FRAMES):
            across, down = place_of(number)
            middle = width * (AREA[0] + across * (AREA[2] - AREA[0])), height * down
            inside = (abs(x - middle[0]) < 10) & (abs(y - middle[1]) < 10)
            image = np.where(inside[..., None], 240, 20).astype(np.uint8).repeat(3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def peaked(numbers: np.ndarray, mirrored: bool = False) -> np.ndarray:
    """(T, K, K) maps that peak where the actor is, or on the other side."""
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    maps = []
    for number in numbers:
        across, down = place_of(number)
        across = 1 - across if mirrored else across
        maps.append(np.exp(-((columns - SIDE * across) ** 2 + (rows - SIDE * down) ** 2)))
    stacked = np.stack(maps)
    return stacked / stacked.sum(axis=(1, 2), keepdims=True)


def watched(video: Path) -> Prediction:
    """What a network might say of it: a sample every 5 frames, two streams, two actions."""
    numbers = np.arange(0, NUM_FRAMES, 5)
    seconds = np.stack([numbers, numbers + 5], axis=1) / RATE
    maps = {
        "frame": peaked(numbers).astype(np.float16),
        "clip": peaked(numbers, mirrored=True).astype(np.float16),
    }
    k = np.sin(numbers / 9)
    beta = np.exp(k) / np.exp(k).sum()
    track = AttentionTrack(
        seconds, seconds[:, 0], k, beta, maps, AREA, class_scores=np.full((len(numbers), 2), 0.5)
    )
    shown = np.arange(0, len(numbers), 5)
    return Prediction(
        video=str(video),
        labels=("run", "sit"),
        scores=np.array([0.75, 0.25]),
        duration_seconds=NUM_FRAMES / RATE,
        segments=AttentionTrack(
            seconds=np.stack([seconds[shown, 0], seconds[shown + 4, 1]], axis=1),
            frame_seconds=seconds[shown, 0],
            temporal_scores=k[shown],
            temporal_attention=np.exp(k[shown]) / np.exp(k[shown]).sum(),
            spatial_attention={name: of[shown].astype(np.float32) for name, of in maps.items()},
            attended_area=AREA,
        ),
        frames=np.zeros((len(shown), 48, 64, 3), np.uint8),
        track=track,
        detections=(Detection("run", 2.0, 3.0, 0.9), Detection("sit", 0.4, 0.8, 0.2)),
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


# Where the overlay is hottest and where the picture is brightest, both as fractions of the video's picture.
_PLACES = """(() => {
  const video = document.querySelector(".player video"), heat = document.querySelector(".player canvas");
  const middle = (context, width, height, weight) => {
    const data = context.getImageData(0, 0, width, height).data;
    let most = 0, sum = 0, x = 0, y = 0;
    for (let i = 0; i < data.length; i += 4) most = Math.max(most, weight(data, i));
    for (let i = 0; i < data.length; i += 4) {
      if (weight(data, i) < .95 * most) continue;
      sum += 1; x += (i / 4) % width + .5; y += Math.floor(i / 4 / width) + .5;
    }
    return [x / sum / width, y / sum / height];
  };
  const still = document.createElement("canvas");
  still.width = video.videoWidth; still.height = video.videoHeight;
  const context = still.getContext("2d");
  context.drawImage(video, 0, 0);
  const actor = middle(context, still.width, still.height, (data, i) => data[i]);
  const warmth = (data, i) => data[i + 3] + data[i + 1] / 2;
  const hot = middle(heat.getContext("2d"), heat.width, heat.height, warmth);
  const of = heat.getBoundingClientRect(), all = video.getBoundingClientRect();
  return {
    actor,
    hot: [
      (of.left + hot[0] * of.width - all.left) / all.width,
      (of.top + hot[1] * of.height - all.top) / all.height,
    ],
    now: video.currentTime,
  };
})()"""


def go(page: OpenedPage, seconds: float) -> None:
    """Click the time line there, and wait for the frame."""
    box = page.run("JSON.parse(JSON.stringify(document.querySelector('.seek').getBoundingClientRect()))")
    page.tab.mouse.click(
        box["left"] + box["width"] * seconds / (NUM_FRAMES / RATE), box["top"] + box["height"] / 2
    )
    page.wait(f"Math.abs(document.querySelector('.player video').currentTime - {seconds}) < 0.1")
    page.wait("!document.querySelector('.player video').seeking")


@pytest.mark.parametrize(("name", "codec"), [("actor.mp4", "libx264"), ("actor.avi", "mpeg4")])
def test_it_plays_seeks_and_the_overlay_lies_on_the_actor(
    name: str, codec: str, shown: Callable[[Prediction], OpenedPage], tmp_path: Path
) -> None:
    page = shown(watched(write_actor(tmp_path / name, codec)))
    for seconds in (0.5, 3.4, 2.02, 1.2):
        go(page, seconds)
        found = page.run(_PLACES)
        number = round(found["now"] * RATE)
        across, down = place_of(number)
        actor = AREA[0] + across * (AREA[2] - AREA[0]), down
        np.testing.assert_allclose(found["actor"], actor, atol=0.04)
        np.testing.assert_allclose(found["hot"], actor, atol=0.1)  # two thirds of a region
    before = page.run("document.querySelector('.player video').currentTime")
    page.run("document.querySelector('[data-play]').click()")
    page.wait(f"document.querySelector('.player video').currentTime > {before} + 0.4")
    assert page.run("document.querySelector('[data-play]').textContent") == "Pause"
    left = page.run("parseFloat(document.querySelector('.playhead').style.left)")
    now = page.run("document.querySelector('.player video').currentTime")
    assert left == pytest.approx(100 * now / 4, abs=8)
    page.run("document.querySelector('.player video').pause()")
    assert page.complaints == []
    assert page.asked_for <= {"data", "blob", (tmp_path / "page.html").as_uri()}


def test_it_opens_at_the_moment_of_most_weight(
    shown: Callable[[Prediction], OpenedPage], tmp_path: Path
) -> None:
    prediction = watched(write_actor(tmp_path / "actor.mp4"))
    page = shown(prediction)
    strongest = int(prediction.temporal_attention.argmax())
    seconds = float(prediction.frame_seconds[strongest])
    assert seconds > 0.1
    page.wait(f"Math.abs(document.querySelector('.player video').currentTime - {seconds}) < 0.05")
    assert page.run("document.querySelector('#v1').dataset.shown") == str(strongest + 1)
    left = page.run("parseFloat(document.querySelector('.playhead').style.left)")
    assert left == pytest.approx(100 * seconds / 4, abs=1)


# What a reader can come upon: all of the page but style, scripts and pictures.
_WORDS = """(() => {
  const page = document.documentElement.cloneNode(true);
  page.querySelectorAll("script, style").forEach((one) => one.remove());
  page.querySelectorAll("[src]").forEach((one) => one.removeAttribute("src"));
  return page.outerHTML;
})()"""


def test_a_ready_models_page_names_its_method_and_plays(
    shown: Callable[[Prediction], OpenedPage], tmp_path: Path
) -> None:
    sides = [*["left"] * 75, *["right"] * 25]
    path = write_frames(tmp_path / "sides.avi", [frame(side) for side in sides])
    page = shown(model().predict(path))
    words = page.run(_WORDS)
    assert "A region’s share in Grad-CAM at regions, which is found after the fact" in words
    assert "each clip’s share in the score of left" in words.lower()
    for foreign in ("attention", "α", "β"):
        assert foreign not in words.lower()
    shares = page.run("[...document.querySelectorAll('.bars li')].map((one) => one.innerText.split(/\\s+/))")
    assert [share[0] for share in shares] == ["left", "right", "dark"]
    assert [float(share[1].rstrip("%")) for share in shares[:2]] == pytest.approx([80, 20], abs=0.1)
    go(page, 1.0)
    found = page.run(_PLACES)
    assert found["actor"][0] == pytest.approx(24 / 64, abs=0.03)
    assert found["hot"][0] == pytest.approx(24 / 64, abs=0.13)  # a region
    page.run("document.querySelector('[data-play]').click()")
    page.wait("document.querySelector('.player video').currentTime > 1.4")
    page.run("document.querySelector('.player video').pause()")
    assert page.complaints == []


def test_the_stream_can_be_switched(shown: Callable[[Prediction], OpenedPage], tmp_path: Path) -> None:
    page = shown(watched(write_actor(tmp_path / "actor.mp4")))
    go(page, 3.4)
    on_actor = page.run(_PLACES)["hot"]
    page.run("document.querySelector('.streams input[value=\"1\"]').click()")
    beside = page.run(_PLACES)["hot"]
    assert beside[0] == pytest.approx(1 - on_actor[0], abs=0.05)
    page.run("document.querySelector('.streams input[value=\"2\"]').click()")
    assert page.run("document.querySelector('#v1').dataset.drawn").startswith("2:")
    page.run("document.querySelector('.toggle input').click()")
    assert not page.run("document.querySelector('.player canvas').checkVisibility()")
    page.run("document.querySelector('.toggle input').click()")
    page.run("document.querySelector('.strength input').value = 25")
    page.run("document.querySelector('.strength input').dispatchEvent(new Event('input'))")
    assert page.run("getComputedStyle(document.querySelector('.player canvas')).opacity") == "0.25"


def test_found_actions_and_segments_seek_and_keys_work(
    shown: Callable[[Prediction], OpenedPage], tmp_path: Path
) -> None:
    page = shown(watched(write_actor(tmp_path / "actor.mp4")))
    names = page.run("[...document.querySelectorAll('.hit')].map((hit) => hit.getAttribute('aria-label'))")
    assert names == [
        "run from 00:02.0 to 00:03.0, score 0.9",
        "sit from 00:00.4 to 00:00.8, score 0.2",
    ]
    video = "document.querySelector('.player video')"
    page.run("document.querySelector('.hit').click()")
    page.wait(f"{video}.currentTime >= 2 && !{video}.paused")
    assert page.run("document.querySelector('.hit').classList.contains('now')")
    page.run(f"{video}.pause()")
    page.run("document.querySelectorAll('.found tbody button')[1].click()")
    page.wait(f"{video}.currentTime >= 0.4 && {video}.currentTime < 1.5")
    page.run(f"{video}.pause()")
    page.run("document.querySelectorAll('.cell')[3].click()")
    page.wait(f"Math.abs({video}.currentTime - 3) < 0.05")
    assert page.run("document.querySelector('#v1').dataset.shown") == "4"
    page.run("document.querySelectorAll('.segment')[1].click()")
    page.wait(f"Math.abs({video}.currentTime - 1) < 0.05")
    page.run("document.querySelector('.seek').focus()")
    page.tab.keyboard.press("Home")
    page.wait(f"{video}.currentTime === 0")
    page.tab.keyboard.press("ArrowRight")
    page.wait(f"Math.abs({video}.currentTime - 0.2) < 0.05")
    slider = "document.querySelector('.seek')"
    assert page.run(f"{slider}.getAttribute('aria-valuetext')") == "00:00.2"
    assert page.run(f"{slider}.getAttribute('aria-valuemax')") == "4.0"
    page.tab.keyboard.press("Space")
    page.wait(f"!{video}.paused")
    page.tab.keyboard.press("Space")
    page.wait(f"{video}.paused")
    assert page.complaints == []


def test_a_browser_that_cannot_play_shows_stills(opened: Callable[..., OpenedPage], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_report([watched(write_actor(tmp_path / "actor.mp4"))], page)
    text = page.read_text(encoding="utf-8")
    start = text.index('data-mime="video/mp4">') + len('data-mime="video/mp4">')
    page.write_text(text[:start] + "AAAA" + text[text.index("</script>", start) :], encoding="utf-8")
    seen = opened(page)
    seen.wait("document.querySelector('#v1').classList.contains('cannot-play')")
    assert seen.run("document.querySelector('.stage .picture').checkVisibility()")
    assert not seen.run("document.querySelector('.player').checkVisibility()")
    assert seen.run("document.querySelector('.unplayable').checkVisibility()")


def test_without_the_video_the_page_says_so(
    make_prediction: Callable[..., Prediction], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    write_report([make_prediction(video="gone.mp4")], page)
    text = page.read_text(encoding="utf-8")
    assert "The video could not be read when this page was written" in text
    assert "data-mime" not in text
