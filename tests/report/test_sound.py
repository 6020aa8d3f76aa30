"""The sound as it is drawn: pictures of it, the attention along all of it, and both in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attcell.errors import CallError, ModelError
from attcell.report.overlay import check, layers_of, peak_weight
from attcell.report.page.heard import heard_picture, heard_view
from attcell.report.page.views import video_view
from attcell.report.sound import (
    UNHEARD,
    WAVE_HEIGHT,
    WAVE_WIDTH,
    grey_picture,
    heard_words,
    hertz_words,
    sound_layers,
    track_levels,
    upright,
    wave_path,
)


def test_streams_that_hear_are_told_apart_from_those_that_see(make_hearing, make_prediction):
    prediction = make_hearing(streams=("frame", "clip"))
    (layer,) = sound_layers(prediction)
    assert (layer.name, layer.even, layer.hearing.window_seconds) == ("audio", 1 / 24, 2.0)
    assert layer.peak == peak_weight(prediction.spatial_attention["audio"])
    assert [seen.name for seen in layers_of(prediction)] == ["frame", "clip"]
    assert sound_layers(make_prediction()) == []
    assert sound_layers(replace(prediction, sound=None)) == []


def test_time_goes_to_the_right_and_frequencies_upwards():
    map_ = np.zeros((3, 2))
    map_[2, 1] = 1  # the end, high
    assert upright(map_).tolist() == [[0, 0, 1], [0, 0, 0]]
    picture = grey_picture(np.array([[0.0, 5.0], [20.0, 10.0]]), (0.0, 10.0))
    assert picture[..., 0].tolist() == [[128, 255], [0, 255]]
    assert picture.shape == (2, 2, 3)


def test_attention_lies_on_the_sound_where_it_was_heard(make_hearing):
    prediction = make_hearing(num_segments=4)
    (layer,) = sound_layers(prediction)
    levels = track_levels(prediction.segments, layer, prediction.sound)
    assert levels.shape == (32, 200)
    heard = levels != UNHEARD
    parts = np.floor((prediction.frame_seconds - 2) * 20).astype(int)
    for part in parts:  # 2 s around each frame, which are 40 parts
        assert heard[:, part - 20 : part + 20].all()
    assert heard.all(axis=0).sum() == 4 * 40
    hottest = np.where(heard, levels, 0)
    row, columns = hottest.max(axis=1).argmax(), np.sort(hottest.max(axis=0).argsort()[-4:])
    assert 32 - row == pytest.approx(1.5 * 8, abs=4)  # the second of four bands, counted from below
    where = 2 + (np.unique(columns) + 0.5) / 20
    assert np.abs(where[:, None] - (prediction.frame_seconds + 0.5)).min(axis=1).max() < 0.3


def test_of_windows_that_overlap_the_largest_weight_is_drawn(make_hearing):
    prediction = make_hearing(num_segments=20)
    (layer,) = sound_layers(prediction)
    track = prediction.segments

    def drawn(some: slice) -> np.ndarray:
        maps = {"audio": track.over_sound["audio"][some]}
        part = replace(track, frame_seconds=track.frame_seconds[some], spatial_attention=maps)
        levels = track_levels(part, layer, prediction.sound).astype(int)
        return np.where(levels == UNHEARD, -1, levels)

    both = drawn(slice(4, 6))
    np.testing.assert_array_equal(both, np.maximum(drawn(slice(4, 5)), drawn(slice(5, 6))))
    assert drawn(slice(None)).min() == 0  # nothing is left out


def test_a_waveform_fills_its_box_and_silence_is_a_thin_line():
    peaks = np.array([[-0.5, 0.25], [0.0, 0.0], [-0.1, 0.5]])
    points = [tuple(map(float, point.split())) for point in wave_path(peaks)[1:-1].split("L")]
    assert [x for x, _ in points[:3]] == pytest.approx(
        [WAVE_WIDTH / 6, WAVE_WIDTH / 2, WAVE_WIDTH * 5 / 6], abs=0.1
    )
    assert [y for _, y in points[:3]] == pytest.approx([25, 50, 0], abs=0.5)
    assert [y for _, y in points[:2:-1]] == pytest.approx([WAVE_HEIGHT, 50, 60], abs=0.5)
    quiet = wave_path(np.zeros((5, 2)))
    assert {point.split()[1] for point in quiet[1:-1].split("L")} == {"49.6", "50.4"}


@pytest.mark.parametrize(("hertz", "words"), [(125, "125 Hz"), (7500, "7.5 kHz"), (8000.0, "8 kHz")])
def test_frequencies_in_words(hertz, words):
    assert hertz_words(hertz) == words


def test_when_and_how_high_in_words(make_hearing):
    prediction = make_hearing()
    (layer,) = sound_layers(prediction)
    said = "Audio attention is strongest at 00:03.8, at middle frequencies."
    assert heard_words(layer, 0, 3.25) == said
    assert heard_picture(prediction, layer, 0).alt == f"Sound around 00:03.2, frequencies upwards. {said}"
    view = heard_view(prediction, layer)
    assert (view.low, view.high, view.window, view.is_whole) == ("125 Hz", "7.5 kHz", "2.00 s", False)


def test_the_mean_of_the_streams_and_the_place_in_the_frame_are_without_sound(make_hearing, make_prediction):
    heard, plain = (
        video_view(make(streams=("frame", "clip")), "x") for make in (make_hearing, make_prediction)
    )
    assert [view.name for view in heard.heard] == ["audio"]
    assert heard.streams == plain.streams
    assert [segment.focus for segment in heard.segments] == [segment.focus for segment in plain.segments]
    assert [segment.alt for segment in heard.segments] == [segment.alt for segment in plain.segments]
    assert heard.player["windows"] == [2.0]
    assert len(heard.player["streams"]) == len(plain.player["streams"]) == 3
    assert (heard.wave, plain.wave, plain.heard) == ("", "", [])


def test_sound_that_does_not_fit_is_refused(make_hearing):
    prediction = make_hearing()
    check(prediction)
    for change, said in (
        ({"peaks": np.zeros((200, 3))}, r"sound\.peaks has shape \(200, 3\)"),
        ({"loudness": np.zeros((7, 16))}, r"sound\.loudness has shape \(7, 16\)"),
        ({"windows": {"audio": np.zeros((2, 24, 16))}}, r"sound\.windows\['audio'\] has shape \(2, 24, 16\)"),
    ):
        with pytest.raises(CallError, match=said):
            check(replace(prediction, sound=replace(prediction.sound, **change)))
    with pytest.raises(ModelError, match=r"sound\.peaks holds values that are not finite"):
        check(replace(prediction, sound=replace(prediction.sound, peaks=np.full((200, 2), np.nan))))
