"""What the page shows of a prediction."""

from __future__ import annotations

import numpy as np
import pytest

from attcell._paths import short_names
from attcell.report.page.views import attended_words, motion_words, video_view


@pytest.mark.parametrize(
    ("videos", "names"),
    [
        (["a/b/x.mp4"], ["x.mp4"]),
        (["a/b/x.mp4", "a/c/x.mp4"], ["b/x.mp4", "c/x.mp4"]),
        (["a/x.mp4", "a/x.mp4"], ["x.mp4", "x.mp4"]),
        (["/x.mp4", "y/x.mp4"], ["x.mp4", "y/x.mp4"]),
        (["C:\\v\\x.mp4"], ["x.mp4"]),
        (["/"], ["/"]),
    ],
)
def test_short_names_tell_videos_apart(videos: list[str], names: list[str]) -> None:
    assert short_names(videos) == names


def test_streams_come_with_their_scales(make_prediction) -> None:
    flow = np.zeros((4, 2, 9, 16), np.float32)
    flow[:, 1] = -3.0
    view = video_view(make_prediction(streams=("frame", "flow"), flow=flow), "x")
    assert [(stream.name, stream.scale) for stream in view.streams] == [
        ("frame", None),
        ("flow", 3.0),
        ("mean of the streams", None),
    ]
    assert view.has_flow
    frame, moved, _ = view.segments[0].streams
    assert (frame.flow, frame.alt) == (None, "")
    assert moved.alt == "Flow at 00:03.2. The fastest part moves 3.0 pixels a frame up."
    assert not video_view(make_prediction(streams=("frame", "flow")), "x").has_flow


def test_late_fusion_names_each_networks_weights_and_peak(make_prediction) -> None:
    own = {"frame": np.array([0.7, 0.1, 0.1, 0.1]), "flow": np.array([0.1, 0.1, 0.2, 0.6])}
    view = video_view(make_prediction(streams=("frame", "flow"), temporal_attention_by_stream=own), "x")
    assert [segment.weights for segment in view.segments] == [
        "frame 0.700, flow 0.100",
        "frame 0.100, flow 0.100",
        "frame 0.100, flow 0.200",
        "frame 0.100, flow 0.600",
    ]
    assert view.peaks == "; frame strongest at 00:03.2 with 0.700; flow strongest at 00:10.8 with 0.600"
    assert list(view.curve.streams) == ["frame", "flow"]
    plain = video_view(make_prediction(), "x")
    assert (plain.peaks, plain.curve.streams, {segment.weights for segment in plain.segments}) == (
        "",
        {},
        {""},
    )


def test_the_place_of_the_strongest_attention_is_told_for_each_stream():
    frame, flow = np.zeros((7, 7)), np.zeros((2, 2))
    frame[6, 0] = flow[0, 1] = 1
    assert attended_words({"frame": frame, "flow": flow}, (0, 0, 1, 1)) == (
        "Frame attention is strongest at bottom left; flow attention is strongest at top right."
    )
    assert attended_words({}, (0, 0, 1, 1)) == ""


def test_the_place_is_the_frames_although_the_maps_cover_a_part():
    map_ = np.zeros((4, 4))
    map_[0, 0] = 1
    assert attended_words({"frame": map_}, (0.4, 0.0, 1.0, 1.0)).endswith("at top centre.")


@pytest.mark.parametrize(
    ("x", "y", "way"),
    [
        (2, 0, "to the right"),
        (2, 2, "down and to the right"),
        (0, 2, "down"),
        (-2, 2, "down and to the left"),
        (-2, 0, "to the left"),
        (-2, -0.0, "to the left"),
        (-2, -2, "up and to the left"),
        (0, -2, "up"),
        (2, -2, "up and to the right"),
    ],
)
def test_the_way_of_the_fastest_part(x: float, y: float, way: str) -> None:
    flow = np.full((2, 4, 5), 0.1, np.float32)
    flow[:, 3, 1] = x, y
    assert motion_words(flow) == f"The fastest part moves {np.hypot(x, y):.1f} pixels a frame {way}."


def test_stillness() -> None:
    assert motion_words(np.full((2, 4, 5), 0.01)) == "Nothing moves."
