"""Flow in the colours of the wheel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.utils import flow_to_image

from attcell.errors import CallError
from attcell.flow.colours import LEAST_SCALE, WHEEL, flow_colours, flow_scale, wheel_picture


def field(x: float, y: float) -> np.ndarray:
    """One vector as a field of one pixel."""
    return np.array([x, y], dtype=np.float32).reshape(2, 1, 1)


def plain_colour(x: float, y: float, scale: float) -> list[int]:
    """One pixel as Baker et al.'s program computes it, in scalars."""
    wheel = []
    for i in range(15):
        wheel.append((255, 255 * i // 15, 0))
    for i in range(6):
        wheel.append((255 - math.ceil(255 * i / 6), 255, 0))
    for i in range(4):
        wheel.append((0, 255, 255 * i // 4))
    for i in range(11):
        wheel.append((0, 255 - math.ceil(255 * i / 11), 255))
    for i in range(13):
        wheel.append((255 * i // 13, 0, 255))
    for i in range(6):
        wheel.append((255, 0, 255 - math.ceil(255 * i / 6)))
    x, y = x / scale, y / scale
    radius = math.sqrt(x * x + y * y)
    at = (math.atan2(-y, -x) / math.pi + 1) / 2 * (len(wheel) - 1)
    before = int(at)
    after = (before + 1) % len(wheel)
    pixel = []
    for channel in range(3):
        colour = (1 - at + before) * wheel[before][channel] / 255 + (at - before) * wheel[after][
            channel
        ] / 255
        colour = 1 - radius * (1 - colour) if radius <= 1 else 0.75 * colour
        pixel.append(int(255 * colour))
    return pixel


def test_the_wheel_has_its_known_hues() -> None:
    assert WHEEL.shape == (55, 3)
    corners = [(255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255)]
    assert [tuple(WHEEL[n]) for n in (0, 15, 21, 25, 36, 49)] == corners


@pytest.mark.parametrize(
    ("x", "y", "colour"),
    [
        (0, 0, (255, 255, 255)),
        (1, 0, (255, 0, 0)),
        (1, -0.0, (255, 0, 0)),
        (0, 1, (255, 229, 0)),
        (-1, 0, (0, 208, 255)),
        (0, -1, (88, 0, 255)),
        (0.5, 0, (255, 127, 127)),
        (2, 0, (191, 0, 0)),
        (1e6, 0, (191, 0, 0)),
    ],
)
def test_known_motions(x: float, y: float, colour: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(flow_colours(field(x, y), 1.0)[0, 0].astype(int), colour, atol=1)


speeds = st.floats(-30, 30, width=32).map(lambda v: 0.0 if abs(v) < 1e-3 else v)


@given(x=speeds, y=speeds, scale=st.floats(0.5, 20))
def test_the_colours_are_those_of_the_plain_program(x: float, y: float, scale: float) -> None:
    speed = math.hypot(x, y) / scale
    if abs(speed - 1) > 1e-6:  # at the very scale, rounding decides on which side it lies
        found = flow_colours(field(x, y), scale)[0, 0].astype(int)
        np.testing.assert_allclose(found, plain_colour(x, y + 0.0, scale), atol=1)


def test_the_colours_are_torchvisions() -> None:
    """It scales each picture by its own largest speed."""
    flow = np.random.default_rng(0).normal(size=(2, 20, 30)).astype(np.float32)
    largest = float(np.hypot(*flow).max())
    theirs = flow_to_image(torch.from_numpy(flow)).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(flow_colours(flow, largest * 1.000001).astype(int), theirs, atol=1)


def test_the_scale_is_shared_and_blind_to_a_few_outliers() -> None:
    flow = np.zeros((3, 2, 40, 40), np.float32)
    flow[1, 0, :10] = 4.0
    assert flow_scale(flow) == 4.0
    flow[2, :, 0, 0] = 500.0
    assert flow_scale(flow) == 4.0


def test_a_still_video_stays_pale() -> None:
    flow = np.full((2, 2, 8, 8), 0.02, np.float32)
    assert flow_scale(flow) == LEAST_SCALE
    assert flow_colours(flow[0], flow_scale(flow)).min() > 235


def test_the_wheels_picture_shows_each_motion_where_it_points() -> None:
    picture = wheel_picture(101)
    assert picture.shape == (101, 101, 4)
    assert picture[50, 50].tolist() == [255, 255, 255, 255]
    assert picture[0, 0, 3] == 0
    np.testing.assert_allclose(picture[50, 100, :3].astype(int), (255, 0, 0), atol=4)
    np.testing.assert_allclose(picture[50, 0, :3].astype(int), (0, 208, 255), atol=4)
    np.testing.assert_allclose(picture[100, 50, :3].astype(int), (255, 229, 0), atol=4)
    np.testing.assert_allclose(picture[0, 50, :3].astype(int), (88, 0, 255), atol=4)


def test_bad_calls() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(CallError, match="flow holds values that are not finite numbers"):
            flow_colours(field(value, 0), 1.0)
    for scale in (0.0, -1.0, math.nan):
        with pytest.raises(CallError, match=f"scale is {scale}; allowed: a number of pixels a frame above 0"):
            flow_colours(field(0, 0), scale)
