from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.errors import CallError, ModelError
from attcell.report.page.page import embedded_json, percent, write_report
from attcell.types import Prediction

Maker = Callable[..., Prediction]
NASTY = """</script><script>alert(1)</script><!-- "quoted" 'single' & 走る \u2028 {{ 7 * 7 }}"""


class Page(HTMLParser):
    """Every element of a page with its attributes, and the text inside each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self._within: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._within:
            self.texts.setdefault(self._within[-1], []).append(data)

    def having(self, name: str, word: str) -> list[tuple[str, dict[str, str]]]:
        return [(tag, attrs) for tag, attrs in self.elements if word in attrs.get(name, "").split()]


def written(path: Path, *predictions: Prediction, model: dict[str, str] | None = None) -> Page:
    write_report(predictions, path, model)
    return Page(path.read_text(encoding="utf-8"))


def predictions_in(page: Page) -> list[dict]:
    return json.loads(page.texts["script"][0])


def test_nothing_on_the_page_comes_from_elsewhere(make_prediction: Maker, tmp_path: Path) -> None:
    page = written(
        tmp_path / "r.html", make_prediction(), make_prediction(video="b.mp4"), model={"model": "STAN"}
    )
    places = [
        v for _, attrs in page.elements for k, v in attrs.items() if k in ("src", "href", "srcset", "action")
    ]
    assert len(places) > 20
    assert [place[:60] for place in places if not place.startswith(("data:", "#"))] == []
    assert "url(" not in "".join(page.texts["style"])
    assert not {"link", "iframe", "object", "embed"} & {
        tag for tag, attrs in page.elements if attrs.get("rel") != "icon"
    }


def test_the_policy_lets_only_the_pages_own_script_run(make_prediction: Maker, tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", make_prediction())
    (policy,) = (a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    script = page.texts["script"][-1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_names_and_labels_cannot_break_out(make_prediction: Maker, tmp_path: Path) -> None:
    labels = (NASTY, "b", "c", "d", "e", "f" + NASTY)
    prediction = make_prediction(
        video=NASTY, labels=labels, notes=(NASTY,), scores=np.array([0.9, 0.02, 0.02, 0.02, 0.02, 0.02])
    )
    streams = {NASTY: prediction.spatial_attention["frame"], "flow": prediction.spatial_attention["frame"]}
    prediction = replace(prediction, segments=replace(prediction.segments, spatial_attention=streams))
    page = written(tmp_path / "r.html", prediction, prediction, model={NASTY: NASTY})
    assert [tag for tag, _ in page.elements].count("script") == 3  # predictions, colours, the script
    (read, _) = predictions_in(page)
    assert read["video"] == NASTY
    assert read["labels"] == list(labels)
    assert list(read["spatial_attention"]) == [NASTY, "flow"]
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "走る" in text
    assert "{{ 7 * 7 }}" in text
    assert "<script>alert" not in text


def test_a_name_that_is_no_text_still_makes_a_page(make_prediction: Maker, tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", make_prediction(video="clips/bad\udce9.mp4"))
    assert "bad?.mp4" in page.texts["bdi"]
    assert predictions_in(page)[0]["video"] == "clips/bad\udce9.mp4"


def test_the_json_is_the_prediction(make_prediction: Maker, tmp_path: Path) -> None:
    prediction = make_prediction(streams=("frame", "flow"), notes=("damaged",))
    assert predictions_in(written(tmp_path / "r.html", prediction)) == [prediction.to_dict()]


def test_every_segment_has_its_picture_time_and_weight(make_prediction: Maker, tmp_path: Path) -> None:
    prediction = make_prediction(num_segments=5, streams=("frame", "flow"))
    page = written(tmp_path / "r.html", prediction)
    figures = [attrs for tag, attrs in page.elements if tag == "figure" and "id" in attrs]
    assert [attrs["data-at"] for attrs in figures] == [f"00:{s:02d}.0" for s in (3, 5, 7, 9, 11)]
    assert [float(a["data-weight"]) for a in figures] == pytest.approx(
        prediction.temporal_attention, abs=6e-4
    )
    assert [attrs["id"] for attrs in figures] == [f"v1-s{n}" for n in range(1, 6)]
    cells = [attrs for _, attrs in page.having("class", "cell")]
    assert [attrs["href"] for attrs in cells] == [f"#v1-s{n}" for n in range(1, 6)]
    assert [attrs["style"] for attrs in cells] == [f"left: {20 * n}.000%; width: 20.000%" for n in range(5)]
    frames = [attrs["alt"] for _, attrs in page.having("class", "frame")]
    assert len(frames) == 6  # one is shown large
    assert all(
        re.match(r"Frame at 00:\d\d\.0\. Frame attention is strongest at \w+ \w+; flow", a) for a in frames
    )
    assert [a["data-stream"] for _, a in page.having("class", "heat")] == ["0", "1", "2"] * 6  # and the mean


def test_heats_share_one_scale_and_show_the_attention(make_prediction: Maker, tmp_path: Path) -> None:
    maps = np.full((2, 7, 7), 0.4 / 48)
    maps[0, 1, 5] = maps[1, 6, 0] = 0.6
    maps[1] = 0.5 * maps[1] + 0.5 / 49
    page = written(tmp_path / "r.html", make_prediction(num_segments=2, spatial_attention={"frame": maps}))
    heats = []
    for _, attrs in page.having("class", "heat")[1:]:
        with Image.open(io.BytesIO(base64.b64decode(attrs["src"].partition(",")[2]))) as picture:
            heats.append(np.asarray(picture.convert("RGBA"))[..., 3])
    assert [heat.shape for heat in heats] == [(112, 112)] * 2
    assert heats[0][24, 88] > 245
    assert 120 < heats[1][104, 8] < 220
    assert heats[0][104, 8] < 30


def test_the_attended_area_is_where_the_overlay_lies(make_prediction: Maker, tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", make_prediction(attended_area=(0.25, 0.125, 0.75, 1.0)))
    (style,) = {attrs["style"] for _, attrs in page.having("class", "area")}
    assert style == "left: 25.000%; top: 12.500%; width: 50.000%; height: 87.500%"


def test_frames_are_made_small(make_prediction: Maker, tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", make_prediction(num_segments=1, size=(720, 480)))
    (_, attrs) = page.having("class", "frame")[0]
    with Image.open(io.BytesIO(base64.b64decode(attrs["src"].partition(",")[2]))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (213, 320))


def test_twenty_five_segments_stay_below_a_megabyte(make_prediction: Maker, tmp_path: Path) -> None:
    write_report([make_prediction(num_segments=25, size=(180, 320))], tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size < 1_000_000


def test_classes_are_ranked_and_the_rest_folded(make_prediction: Maker, tmp_path: Path) -> None:
    scores = np.array([0.004, 0.5, 0.2, 0.1, 0.1, 0.0959, 0.0001])
    page = written(tmp_path / "r.html", make_prediction(scores=scores))
    shown = [text for text in page.texts["span"] if text.endswith("%")]
    assert shown == ["50.0%", "20.0%", "10.0%", "10.0%", "9.6%", "0.4%", "<0.1%"]
    assert "2 more classes" in page.texts["summary"]


def test_notes_are_shown_as_a_warning(make_prediction: Maker, tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", make_prediction(notes=("28 of 50 frames decode",)), make_prediction())
    assert [attrs for _, attrs in page.elements if attrs.get("role") == "note"] != []
    assert any("28 of 50 frames decode" in text for text in page.texts["p"])


def test_many_videos_have_an_index(make_prediction: Maker, tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", make_prediction(), make_prediction(video="b.mp4"))
    assert [attrs["id"] for _, attrs in page.having("class", "video")] == ["v1", "v2"]
    assert {"#v1", "#v2"} <= {attrs.get("href") for _, attrs in page.elements}
    identifiers = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))
    assert "nav" not in {tag for tag, _ in written(tmp_path / "one.html", make_prediction()).elements}


def test_a_prediction_without_maps_still_makes_a_page(make_prediction: Maker, tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", make_prediction(num_segments=1, spatial_attention={}))
    assert len(page.having("class", "frame")) == 2
    assert page.having("class", "controls") == []


def test_a_network_without_attention_over_time_is_called_so(make_prediction: Maker, tmp_path: Path) -> None:
    even = make_prediction(temporal_scores=np.zeros(4), temporal_attention=np.full(4, 0.25))
    said = "every segment weighs alike, as in a network without attention over time, in the video's own time"
    for prediction, is_said in ((even, True), (make_prediction(), False), (make_prediction(1), False)):
        write_report([prediction], tmp_path / "page.html")
        assert (said in (tmp_path / "page.html").read_text()) is is_said


def streams_page(make_prediction: Maker, path: Path, *, late: bool) -> Page:
    flow = np.zeros((4, 2, 9, 16), np.float32)
    flow[:, 0] = 2.5
    own = {"frame": np.array([0.7, 0.1, 0.1, 0.1]), "flow": np.array([0.1, 0.1, 0.1, 0.7])}
    weights = {"frame": 0.65, "flow": 0.35}
    changes = {"temporal_attention_by_stream": own, "stream_weights": weights} if late else {}
    return written(path, make_prediction(streams=("frame", "flow"), flow=flow, **changes))


def test_flow_is_shown_in_colours_with_its_wheel(make_prediction: Maker, tmp_path: Path) -> None:
    page = streams_page(make_prediction, tmp_path / "r.html", late=False)
    pictures = [attrs for tag, attrs in page.having("class", "flow") if tag == "img"]
    assert len(pictures) == 5  # four segments, and one large
    assert {attrs["data-stream"] for attrs in pictures} == {"1"}
    assert re.fullmatch(
        r"Flow at 00:\d\d\.\d\. The fastest part moves 2\.5 pixels a frame to the right\.", pictures[0]["alt"]
    )
    with Image.open(io.BytesIO(base64.b64decode(pictures[0]["src"].partition(",")[2]))) as picture:
        assert picture.size == (16, 9)
        np.testing.assert_allclose(np.asarray(picture)[4, 8], (255, 0, 0), atol=6)
    assert [attrs["data-stream"] for _, attrs in page.having("class", "shade") if "src" in attrs] == ["1"] * 5
    assert len(page.having("class", "wheel")) == 1
    assert any("edge moves 2.5 pixels a frame" in text for text in page.texts["span"])


def test_a_page_of_frames_says_nothing_of_flow(make_prediction: Maker, tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", make_prediction())
    assert [page.having("class", name) for name in ("flow", "wheel", "beta", "weights", "motion")] == [[]] * 5
    assert not any("flow" in text for name in ("p", "small", "span") for text in page.texts[name])


def test_late_fusion_shows_the_attention_of_each_network(make_prediction: Maker, tmp_path: Path) -> None:
    page = streams_page(make_prediction, tmp_path / "r.html", late=True)
    figures = [attrs for tag, attrs in page.elements if tag == "figure" and "id" in attrs]
    assert figures[0]["data-weights"] == "frame 0.700, flow 0.100"
    assert figures[3]["data-weights"] == "frame 0.100, flow 0.700"
    assert len(page.having("class", "beta")) == 4  # two lines, two keys
    (label,) = (attrs["aria-label"] for tag, attrs in page.elements if tag == "svg" and "aria-label" in attrs)
    assert label.endswith("; frame strongest at 00:03.2 with 0.700; flow strongest at 00:10.8 with 0.700")
    keys = " ".join(page.texts["li"])
    assert "frame (counts 0.65)" in keys
    assert "flow (counts 0.35)" in keys
    early = streams_page(make_prediction, tmp_path / "early.html", late=False)
    assert early.having("class", "beta") == []
    assert any("one for all streams" in text for text in early.texts["small"])


def test_bad_predictions_are_refused_and_leave_nothing(make_prediction: Maker, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    with pytest.raises(CallError, match="at least one prediction, but none was given"):
        write_report([], path)
    with pytest.raises(CallError, match=r"some video.mp4: frame_seconds has shape \(3,\), but 4 frames"):
        write_report([make_prediction(frame_seconds=np.arange(3.0))], path)
    none = np.zeros((0, 8, 8, 3), np.uint8)
    with pytest.raises(CallError, match="holds no segment"):
        write_report([make_prediction(frames=none, segments_seconds=np.zeros((0, 2)))], path)
    with pytest.raises(CallError, match="holds no pictures; predict again with pictures=True"):
        write_report([make_prediction(frames=none)], path)
    for name, value in {"scores": np.full(7, np.nan), "duration_seconds": float("inf")}.items():
        with pytest.raises(ModelError, match=f"{name} holds values that are not finite numbers"):
            write_report([make_prediction(**{name: value})], path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_list_of_predictions_is_refused(make_prediction: Maker, tmp_path: Path) -> None:
    one = make_prediction()
    for given, said in ((5, "5"), ([5], r"\[5\] \(list\)"), (one, r".* \(Prediction\)"), ("ab", "'ab'")):
        with pytest.raises(
            CallError, match=f"predictions are {said}; give a list of what Model.predict returns"
        ):
            write_report(given, tmp_path / "page.html")
    with pytest.raises(CallError, match=r'model is \'runs/mine\'; give names and values, such as {"model":'):
        write_report([one], tmp_path / "page.html", "runs/mine")
    assert list(tmp_path.iterdir()) == []


def test_the_page_goes_to_a_path_or_its_text(make_prediction: Maker, tmp_path: Path) -> None:
    write_report([make_prediction()], str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").is_file()
    with pytest.raises(
        CallError, match=r'path is None; give one path as text or Path, such as "report.html"'
    ):
        write_report([make_prediction()], None)


def test_embedded_json_holds_no_markup() -> None:
    text = str(embedded_json({"a": NASTY}))
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": NASTY}


@pytest.mark.parametrize(("value", "text"), [(0, "0.0"), (0.04, "<0.1"), (0.05, "0.1"), (99.96, "100.0")])
def test_percent(value: float, text: str) -> None:
    assert percent(value) == text


def test_sound_has_a_track_and_a_picture_of_each_segment(make_hearing: Maker, tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", make_hearing(num_segments=5))
    assert len(page.having("class", "soundtrack")) == 1
    assert len(page.having("class", "heard")) == 6  # one is shown large
    (track,) = (attrs["aria-label"] for _, attrs in page.having("class", "sounding"))
    assert track == "The sound over time, 125 Hz to 7.5 kHz, with the attention of audio"
    sounds = [attrs["alt"] for _, attrs in page.having("class", "frame") if "Sound around" in attrs["alt"]]
    assert len(sounds) == 6
    assert all("Audio attention is strongest at 00:" in alt for alt in sounds)
    assert "The network did not hear the darkened parts." not in page.texts["p"]
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "when and how high; the curve" in text
    assert "Weight α of a region of sound (audio), time × frequency" in text


def test_maps_of_sound_are_no_choice_over_frames(make_hearing: Maker, tmp_path: Path) -> None:
    page = written(tmp_path / "r.html", make_hearing(streams=("frame", "clip")))
    radios = [attrs for tag, attrs in page.elements if tag == "input" and attrs.get("type") == "radio"]
    assert len(radios) == 3  # frame, clip, and their mean
    alone = written(tmp_path / "alone.html", make_hearing(streams=()))
    assert not [attrs for _, attrs in alone.elements if "data-stream" in attrs]
    assert len(alone.having("class", "controls")) == 1
    assert "Colour marks <em>when and how high</em>" in (tmp_path / "alone.html").read_text(encoding="utf-8")


def test_sound_that_no_stream_hears_is_a_waveform(make_hearing: Maker, tmp_path: Path) -> None:
    heard = make_hearing()
    seen = replace(
        heard,
        segments=replace(heard.segments, spatial_attention=heard.segments.over_frames, hearing={}),
        sound=replace(heard.sound, loudness=None, windows={}),
    )
    page = written(tmp_path / "r.html", seen)
    (track,) = (attrs["aria-label"] for _, attrs in page.having("class", "sounding"))
    assert track == "The sound over time, as a waveform"
    assert not page.having("class", "heard")
    assert not written(tmp_path / "silent.html", replace(seen, sound=None)).having("class", "soundtrack")
