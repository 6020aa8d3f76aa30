"""Frames to network input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attcell.errors import CallError
from attcell.types import Size
from attcell.video.transforms import (
    Crop,
    FrameSpec,
    attended_area,
    centre_crop,
    centre_size,
    crop_source_size,
    kept_size,
    random_crop,
    resized,
    ten_crops,
)

SPEC = FrameSpec(size=32, short_side=40)


def ramp(height=60, width=90, num_frames=3) -> list[np.ndarray]:
    """Images whose red grows to the right, whose green grows downwards; blue is the frame number."""
    images = np.zeros((num_frames, height, width, 3), np.uint8)
    images[..., 0] = np.linspace(0, 255, width)
    images[..., 1] = np.linspace(0, 255, height)[:, None]
    images[..., 2] = np.arange(num_frames)[:, None, None] * 20
    return list(images)


def cut(images: list[np.ndarray], spec: FrameSpec, size: Size, crop: Crop) -> torch.Tensor:
    return crop.cut(resized(images, size), spec.size)


@pytest.mark.parametrize("resize", ["short", "squash"])
@pytest.mark.parametrize(("height", "width"), [(60, 90), (90, 60), (40, 40), (33, 61), (400, 30)])
def test_every_crop_is_a_square_inside_the_resized_frame(resize, height, width):
    spec = FrameSpec(size=32, short_side=40, resize=resize)
    images = ramp(height, width)
    centre, source = centre_size(Size(width, height), spec), crop_source_size(Size(width, height), spec)
    assert cut(images, spec, centre, centre_crop(centre, spec)).shape == (3, 3, 32, 32)
    rng = np.random.default_rng(0)
    crops = [*ten_crops(source, spec), *(random_crop(source, spec, rng) for _ in range(20))]
    for crop in crops:
        view = cut(images, spec, source, crop)
        assert (view.shape, view.dtype) == ((3, 3, 32, 32), torch.uint8)


@pytest.mark.parametrize("resize", ["short", "squash"])
@pytest.mark.parametrize(("height", "width"), [(60, 90), (90, 60), (33, 61)])
def test_the_centre_view_shows_the_attended_area(resize, height, width):
    spec = FrameSpec(size=32, short_side=40, resize=resize)
    left, top, right, bottom = attended_area(Size(width, height), spec)
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1
    size = centre_size(Size(width, height), spec)
    view = cut(ramp(height, width), spec, size, centre_crop(size, spec))[0].float()
    across = left + (right - left) * (np.arange(32) + 0.5) / 32  # pixel centres as fractions of the frame
    down = top + (bottom - top) * (np.arange(32) + 0.5) / 32
    inner = slice(2, -2)  # at the frame's edge the antialiasing has fewer pixels
    red = (across * width - 0.5) / (width - 1) * 255
    green = (down * height - 0.5) / (height - 1) * 255
    np.testing.assert_allclose(view[0, 16, inner], red[inner], atol=2.5)
    np.testing.assert_allclose(view[1, inner, 16], green[inner], atol=2.5)


def test_squash_attends_to_everything_and_short_to_the_middle():
    assert attended_area(Size(90, 60), FrameSpec(resize="squash")) == (0, 0, 1, 1)
    assert attended_area(Size(200, 100), FrameSpec(size=50, short_side=100)) == (0.375, 0.25, 0.625, 0.75)


def test_ten_crops_are_corners_centre_and_their_mirror_images():
    size = crop_source_size(Size(90, 60), SPEC)
    crops = ten_crops(size, SPEC)
    assert [(crop.top, crop.left) for crop in crops[:5]] == [(0, 0), (0, 28), (8, 0), (8, 28), (4, 14)]
    assert not any(crop.mirrored for crop in crops[:5])
    assert [Crop(crop.top, crop.left, mirrored=True) for crop in crops[:5]] == crops[5:]
    assert crops[4] == centre_crop(size, SPEC)


def test_random_crops_take_every_place_and_either_side():
    size = Size(35, 34)
    rng = np.random.default_rng(0)
    drawn = {random_crop(size, SPEC, rng) for _ in range(400)}
    assert drawn == {Crop(top, left, m) for top in range(3) for left in range(4) for m in (False, True)}
    again = [random_crop(Size(90, 60), SPEC, np.random.default_rng(3)) for _ in range(2)]
    assert again[0] == again[1]


def test_bad_input_is_refused():
    with pytest.raises(CallError, match="resize is 'crop'; allowed: 'short', 'squash'"):
        FrameSpec(resize="crop")  # type: ignore[arg-type]
    with pytest.raises(CallError, match="size is 300 and short_side is 256"):
        FrameSpec(size=300)
    with pytest.raises(CallError, match="all frames of a video must share one shape"):
        resized([np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)], Size(40, 40))
    with pytest.raises(CallError, match="must share one shape"):
        resized([], Size(40, 40))


@pytest.mark.parametrize(
    ("shown_at", "kept_at"),
    [((1280, 720), (427, 240)), ((720, 1280), (240, 427)), ((320, 240), (320, 240)), ((90, 60), (90, 60))],
)
def test_large_frames_are_kept_small(shown_at, kept_at):
    assert kept_size(Size(*shown_at), SPEC) == kept_at


def test_frames_are_kept_as_large_as_crops_need_them():
    assert kept_size(Size(1280, 720), FrameSpec(size=224, short_side=256)) == (455, 256)
    assert kept_size(Size(1280, 720), FrameSpec(size=224, short_side=800)) == (1280, 720)
