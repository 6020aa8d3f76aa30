"""Frames to network input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attcell.errors import CallError
from attcell.video.views import (
    FrameSpec,
    attended_area,
    centre_view,
    kept_size,
    mirrored,
    ten_views,
    training_view,
)

SPEC = FrameSpec(size=32, short_side=40)


def ramp(height=60, width=90, num_frames=3) -> list[np.ndarray]:
    """Images whose red grows to the right, whose green grows downwards; blue is the frame number."""
    images = np.zeros((num_frames, height, width, 3), np.uint8)
    images[..., 0] = np.linspace(0, 255, width)
    images[..., 1] = np.linspace(0, 255, height)[:, None]
    images[..., 2] = np.arange(num_frames)[:, None, None] * 20
    return list(images)


def shown(view: torch.Tensor, spec: FrameSpec) -> torch.Tensor:
    """Back to 0..255."""
    std, mean = torch.tensor(spec.std).view(3, 1, 1), torch.tensor(spec.mean).view(3, 1, 1)
    return (view * std + mean) * 255


@pytest.mark.parametrize("resize", ["short", "squash"])
@pytest.mark.parametrize(("height", "width"), [(60, 90), (90, 60), (40, 40), (33, 61), (400, 30)])
def test_shapes(resize, height, width):
    spec = FrameSpec(size=32, short_side=40, resize=resize)
    images = ramp(height, width)
    assert centre_view(images, spec).shape == (3, 3, 32, 32)
    assert centre_view(images, spec).dtype == torch.float32
    assert ten_views(images, spec).shape == (10, 3, 3, 32, 32)
    assert training_view(images, spec, np.random.default_rng(0)).shape == (3, 3, 32, 32)


def test_normalisation_is_the_usual_one():
    images = [np.full((50, 50, 3), 128, np.uint8)]
    expected = (128 / 255 - torch.tensor(SPEC.mean)) / torch.tensor(SPEC.std)
    torch.testing.assert_close(centre_view(images, SPEC)[0, :, 5, 5], expected)


@pytest.mark.parametrize("resize", ["short", "squash"])
@pytest.mark.parametrize(("height", "width"), [(60, 90), (90, 60), (33, 61)])
def test_the_centre_view_shows_the_attended_area(resize, height, width):
    spec = FrameSpec(size=32, short_side=40, resize=resize)
    left, top, right, bottom = attended_area(height, width, spec)
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1
    view = shown(centre_view(ramp(height, width), spec), spec)[0]
    across = left + (right - left) * (np.arange(32) + 0.5) / 32  # pixel centres as fractions of the frame
    down = top + (bottom - top) * (np.arange(32) + 0.5) / 32
    inner = slice(2, -2)  # at the frame's edge the antialiasing has fewer pixels
    red = (across * width - 0.5) / (width - 1) * 255
    green = (down * height - 0.5) / (height - 1) * 255
    np.testing.assert_allclose(view[0, 16, inner], red[inner], atol=2.5)
    np.testing.assert_allclose(view[1, inner, 16], green[inner], atol=2.5)


def test_squash_attends_to_everything_and_short_to_the_middle():
    assert attended_area(60, 90, FrameSpec(resize="squash")) == (0, 0, 1, 1)
    assert attended_area(100, 200, FrameSpec(size=50, short_side=100)) == (0.375, 0.25, 0.625, 0.75)


def test_ten_views_are_corners_centre_and_their_mirror_images():
    images = ramp()
    views = ten_views(images, SPEC)
    torch.testing.assert_close(views[4], centre_view(images, SPEC))
    torch.testing.assert_close(views[5:], mirrored(views[:5]))
    red, green = views[:5, 0, 0].mean((1, 2)), views[:5, 0, 1].mean((1, 2))
    assert red[0] == red[2] < red[4] < red[1] == red[3]
    assert green[0] == green[1] < green[4] < green[2] == green[3]


def test_a_training_view_is_one_crop_and_one_flip_for_all_frames():
    seen = set()
    for seed in range(40):
        view = training_view(ramp(), SPEC, np.random.default_rng(seed))
        torch.testing.assert_close(view[0, :2], view[1, :2])
        torch.testing.assert_close(view[0, :2], view[2, :2])
        assert view[0, 2, 0, 0] < view[1, 2, 0, 0] < view[2, 2, 0, 0]
        is_flipped = bool(view[0, 0, 0, 0] > view[0, 0, 0, -1])
        seen.add((is_flipped, round(float(view[0, 0].mean()), 3), round(float(view[0, 1].mean()), 3)))
    assert {flipped for flipped, _, _ in seen} == {False, True}
    assert len(seen) > 30
    again = [training_view(ramp(), SPEC, np.random.default_rng(3)) for _ in range(2)]
    torch.testing.assert_close(again[0], again[1], rtol=0, atol=0)


def test_mirroring_twice_changes_nothing():
    view = torch.randn(2, 3, 5, 7)
    torch.testing.assert_close(mirrored(mirrored(view)), view)
    assert mirrored(view)[0, 0, 0, 0] == view[0, 0, 0, -1]


def test_bad_input_is_refused():
    with pytest.raises(CallError, match="resize is 'crop'; allowed: 'short', 'squash'"):
        FrameSpec(resize="crop")  # type: ignore[arg-type]
    with pytest.raises(CallError, match="size is 300 and short_side is 256"):
        FrameSpec(size=300)
    with pytest.raises(CallError, match="all frames of a video must share one shape"):
        centre_view([np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)], SPEC)
    with pytest.raises(CallError, match="must share one shape"):
        centre_view([], SPEC)


@pytest.mark.parametrize(
    ("shown_at", "kept_at"),
    [((1280, 720), (427, 240)), ((720, 1280), (240, 427)), ((320, 240), (320, 240)), ((90, 60), (90, 60))],
)
def test_large_frames_are_kept_small(shown_at, kept_at):
    assert kept_size(*shown_at, SPEC) == kept_at


def test_frames_are_kept_as_large_as_crops_need_them():
    assert kept_size(1280, 720, FrameSpec(size=224, short_side=256)) == (455, 256)
    assert kept_size(1280, 720, FrameSpec(size=224, short_side=800)) == (1280, 720)
