"""TV-L1's steps beside OpenCV, whose roundings they follow on x86, and the 5×5 median."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from attcell.flow import quantize, tvl1
from attcell.flow._pictures import median5, resized, seen_at_targets
from tests.flow.conftest import known_pair
from tests.flow.reference import median_of_25


@pytest.fixture
def cv2():
    return pytest.importorskip("cv2")


@pytest.fixture
def picture():
    return np.random.default_rng(0).uniform(0, 255, (45, 61)).astype(np.float32)


@pytest.mark.parametrize("shape", [(45, 61), (46, 62), (17, 20)])
def test_resizes_alike(cv2, picture, shape):
    picture = picture[: shape[0], : shape[1]]
    smaller = cv2.resize(picture, None, fx=0.8, fy=0.8)
    tensor = torch.from_numpy(picture)[None, None]
    found = resized(tensor, smaller.shape, 0.8)
    np.testing.assert_allclose(found[0, 0].numpy(), smaller, atol=1e-4)
    again = resized(found, shape)
    np.testing.assert_allclose(again[0, 0].numpy(), cv2.resize(smaller, shape[::-1]), atol=1e-4)


@pytest.mark.parametrize("reach", [0.5, 4.0, 40.0])
def test_warps_alike(cv2, picture, reach):
    flow = np.random.default_rng(1).normal(0, reach, (2, *picture.shape)).astype(np.float32)
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    expected = cv2.remap(picture, x + flow[0], y + flow[1], cv2.INTER_CUBIC)
    found = seen_at_targets(torch.from_numpy(picture)[None, None], torch.from_numpy(flow)[None], "bicubic")
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-3)


@pytest.mark.parametrize(
    "motion", [{"shift": (1.5, -0.5)}, {"turn": 0.03}, {}], ids=["shift", "turn", "still"]
)
def test_finds_the_same_codes(cv2, motion):
    pair = known_pair(72, 90, **motion)
    pictures = [picture.round().clamp(0, 255).byte() for picture in (pair.previous, pair.following)]
    theirs = cv2.optflow.DualTVL1OpticalFlow_create().calc(*(picture.numpy() for picture in pictures), None)
    expected = quantize(torch.from_numpy(theirs).permute(2, 0, 1))
    found = quantize(tvl1(pictures[0][None], pictures[1][None])[0])
    assert (found == expected).float().mean() > 0.98


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (5, 5), (17, 23)])
def test_the_median_is_the_middle_of_25(size):
    planes = torch.randn(3, *size, generator=torch.Generator().manual_seed(1))
    expected = np.stack([median_of_25(plane.numpy()) for plane in planes])
    np.testing.assert_array_equal(median5(planes).numpy(), expected)


@given(arrays.arrays(np.float64, (5, 5), elements=st.integers(-3, 3).map(float)))
@settings(max_examples=200, deadline=None)
def test_ties_are_no_trouble_to_the_median(values):
    assert median5(torch.from_numpy(values)[None])[0, 2, 2] == np.median(values)
