"""TV-L1 and its steps beside OpenCV, whose roundings they follow on x86."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attcell.flow import quantize, tvl1
from attcell.flow._pictures import resized, warped
from tests.flow.conftest import known_pair

cv2 = pytest.importorskip("cv2")


@pytest.fixture
def picture():
    return np.random.default_rng(0).uniform(0, 255, (45, 61)).astype(np.float32)


@pytest.mark.parametrize("shape", [(45, 61), (46, 62), (17, 20)])
def test_resizes_alike(picture, shape):
    picture = picture[: shape[0], : shape[1]]
    smaller = cv2.resize(picture, None, fx=0.8, fy=0.8)
    tensor = torch.from_numpy(picture)[None, None]
    found = resized(tensor, smaller.shape, 0.8)
    np.testing.assert_allclose(found[0, 0].numpy(), smaller, atol=1e-4)
    again = resized(found, shape)
    np.testing.assert_allclose(again[0, 0].numpy(), cv2.resize(smaller, shape[::-1]), atol=1e-4)


@pytest.mark.parametrize("reach", [0.5, 4.0, 40.0])
def test_warps_alike(picture, reach):
    flow = np.random.default_rng(1).normal(0, reach, (2, *picture.shape)).astype(np.float32)
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    expected = cv2.remap(picture, x + flow[0], y + flow[1], cv2.INTER_CUBIC)
    found = warped(torch.from_numpy(picture)[None, None], torch.from_numpy(flow)[None], "bicubic")
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-3)


@pytest.mark.parametrize(
    "motion", [{"shift": (1.5, -0.5)}, {"turn": 0.03}, {}], ids=["shift", "turn", "still"]
)
def test_finds_the_same_codes(motion):
    pair = known_pair(72, 90, **motion)
    pictures = [picture.round().clamp(0, 255).byte() for picture in (pair.previous, pair.following)]
    theirs = cv2.optflow.DualTVL1OpticalFlow_create().calc(*(picture.numpy() for picture in pictures), None)
    expected = quantize(torch.from_numpy(theirs).permute(2, 0, 1))
    found = quantize(tvl1(pictures[0][None], pictures[1][None])[0])
    assert (found == expected).float().mean() > 0.98
