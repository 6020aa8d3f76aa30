"""RGB frames to the network's input: resize, crop, flip, normalise.

All frames of one video get the same crop and the same flip. Large frames are brought down to
``kept_size`` while they are decoded; the rest of the resizing is done here, as uint8 with antialiasing, and
frames are cropped before they become floats, which costs a fraction of doing it the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torchvision.transforms.v2 import functional as transforms

from attcell.errors import CallError

_SHORT_SIDE_TO_SHOW = 240  # a report shows what the views were cut from, however small the network's input


@dataclass(frozen=True)
class FrameSpec:
    """How a frame becomes the network's input.

    Attributes:
        size: side S of the square that the network sees.
        resize: ``"short"`` scales the short side to ``short_side`` and keeps the shape; ``"squash"`` makes
            the frame a square, whatever its shape was.
        short_side: what crops are cut from: the length of the short side ("short"), or the side of the
            squashed square ("squash"). The centre view of "squash" is the whole frame, squashed to S x S.
        mean: of each channel, for values in [0, 1].
        std: of each channel, for values in [0, 1].
    """

    size: int = 224
    resize: Literal["short", "squash"] = "short"
    short_side: int = 256
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if self.resize not in ("short", "squash"):
            raise CallError(f"resize is {self.resize!r}; allowed: 'short', 'squash'")
        if not 1 <= self.size <= self.short_side:
            raise CallError(
                f"size is {self.size} and short_side is {self.short_side}; "
                "allowed: 1 <= size <= short_side, for crops are cut from the resized frame"
            )


def kept_size(width: int, height: int, spec: FrameSpec) -> tuple[int, int]:
    """Width and height at which to keep decoded frames: no larger than views and reports need them."""
    short_side = max(spec.short_side, _SHORT_SIDE_TO_SHOW)
    if min(width, height) <= short_side:
        return width, height
    new_height, new_width = _with_short_side(height, width, short_side)
    return new_width, new_height


def centre_view(images: Sequence[np.ndarray], spec: FrameSpec) -> torch.Tensor:
    """T images (H, W, 3) uint8 of one size -> (T, 3, S, S) float32: the middle of each, normalised."""
    if spec.resize == "squash":
        return _normalised(_resized(images, (spec.size, spec.size)), spec)
    frames = _resized_for_crops(images, spec)
    height, width = frames.shape[-2:]
    return _crop(frames, *_centre_corner(height, width, spec.size), spec)


def ten_views(images: Sequence[np.ndarray], spec: FrameSpec) -> torch.Tensor:
    """T images (H, W, 3) uint8 of one size -> (10, T, 3, S, S) float32.

    The four corners (top left, top right, bottom left, bottom right) and the centre, then the mirror images
    of these five in the same order.
    """
    frames = _resized_for_crops(images, spec)
    height, width = frames.shape[-2:]
    bottom, right = height - spec.size, width - spec.size
    centre = _centre_corner(height, width, spec.size)
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), centre]
    crops = torch.stack([_crop(frames, top, left, spec) for top, left in corners])
    return torch.cat([crops, mirrored(crops)])


def training_view(images: Sequence[np.ndarray], spec: FrameSpec, rng: np.random.Generator) -> torch.Tensor:
    """T images (H, W, 3) uint8 of one size -> (T, 3, S, S) float32: one random crop and flip for them all."""
    frames = _resized_for_crops(images, spec)
    top = int(rng.integers(frames.shape[-2] - spec.size + 1))
    left = int(rng.integers(frames.shape[-1] - spec.size + 1))
    view = _crop(frames, top, left, spec)
    return mirrored(view) if rng.random() < 0.5 else view


def mirrored(view: torch.Tensor) -> torch.Tensor:
    """Any (..., W) tensor, flipped left to right."""
    return view.flip(-1)


def attended_area(height: int, width: int, spec: FrameSpec) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what ``centre_view`` shows, as fractions of a frame's width and height."""
    if spec.resize == "squash":
        return (0.0, 0.0, 1.0, 1.0)
    new_height, new_width = _crop_source_size(height, width, spec)
    top, left = _centre_corner(new_height, new_width, spec.size)
    return (
        left / new_width,
        top / new_height,
        (left + spec.size) / new_width,
        (top + spec.size) / new_height,
    )


def _crop_source_size(height: int, width: int, spec: FrameSpec) -> tuple[int, int]:
    if spec.resize == "squash":
        return spec.short_side, spec.short_side
    return _with_short_side(height, width, spec.short_side)


def _with_short_side(height: int, width: int, short_side: int) -> tuple[int, int]:
    scale = short_side / min(height, width)
    return max(short_side, round(height * scale)), max(short_side, round(width * scale))


def _centre_corner(height: int, width: int, size: int) -> tuple[int, int]:
    return (height - size) // 2, (width - size) // 2


def _resized_for_crops(images: Sequence[np.ndarray], spec: FrameSpec) -> torch.Tensor:
    height, width = _one_size(images)
    return _resized(images, _crop_source_size(height, width, spec))


def _one_size(images: Sequence[np.ndarray]) -> tuple[int, int]:
    shapes = sorted({image.shape for image in images})
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][2] != 3:
        raise CallError(f"images have shapes {shapes}; all frames of a video must share one shape (H, W, 3)")
    return shapes[0][0], shapes[0][1]


def _resized(images: Sequence[np.ndarray], size: tuple[int, int]) -> torch.Tensor:
    """(T, 3, height, width) uint8. One call for all: a call a frame crawls on a busy machine."""
    _one_size(images)
    frames = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return transforms.resize(frames, list(size), antialias=True)


def _crop(frames: torch.Tensor, top: int, left: int, spec: FrameSpec) -> torch.Tensor:
    crop = frames[..., top : top + spec.size, left : left + spec.size]
    return _normalised(crop.contiguous(memory_format=torch.channels_last), spec)


def _normalised(frames: torch.Tensor, spec: FrameSpec) -> torch.Tensor:
    """uint8 -> float32 with the spec's mean and standard deviation: one multiplication, one subtraction."""
    std = torch.tensor(spec.std).view(3, 1, 1)
    mean = torch.tensor(spec.mean).view(3, 1, 1)
    return frames.float().mul_(1 / (255 * std)).sub_(mean / std)
