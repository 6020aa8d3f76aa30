"""What pictures show, in words."""

from __future__ import annotations

import numpy as np
import pytest

from attcell.report.page.views import attended_words, motion_words


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
