"""Which part of the frames a network sees: resize, crop, flip.

All frames of one video get the same crop and the same flip. Large frames are brought down to
``kept_size`` while they are decoded; the rest of the resizing is done here, as uint8 with antialiasing.
Pictures stay uint8 until they reach the network, which costs a quarter of the memory of floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attcell.choices import Resizing
from attcell.errors import CallError
from attcell.types import Size

_SHORT_SIDE_TO_SHOW = 240  # a report shows what the views were cut from, however small the network's input


@dataclass(frozen=True)
class FrameSpec:
    """How a frame becomes the square that a network sees.

    Attributes:
        size: side S of that square.
        resize: ``"short"`` scales the short side to ``short_side`` and keeps the shape; ``"squash"`` makes
            the frame a square, whatever its shape was.
        short_side: what crops are cut from: the length of the short side ("short"), or the side of the
            squashed square ("squash"). The centre view of "squash" is the whole frame, squashed to S x S.
    """

    size: int = 224
    resize: Resizing = "short"
    short_side: int = 256

    def __post_init__(self) -> None:
        if self.resize not in ("short", "squash"):
            raise CallError(f"resize is {self.resize!r}; allowed: 'short', 'squash'")
        if not 1 <= self.size <= self.short_side:
            raise CallError(
                f"size is {self.size} and short_side is {self.short_side}; "
                "allowed: 1 <= size <= short_side, for crops are cut from the resized frame"
            )


@dataclass(frozen=True)
class Crop:
    """A square of the resized frame, and whether it is seen in a mirror.

    What a mirror does to a stream's pictures is said by the stream's modality (``Modality.mirror``): colours
    are :func:`flipped`, and of flow x runs the other way besides.
    """

    top: int
    left: int
    mirrored: bool = False

    def cut(self, pictures: Tensor, size: int) -> Tensor:
        """(..., H, W) to (..., size, size); not mirrored, for flow is not mirrored like a frame."""
        return pictures[..., self.top : self.top + size, self.left : self.left + size]


def flipped(pictures: Tensor) -> Tensor:
    """Pictures (..., H, W) as seen in a mirror."""
    return pictures.flip(-1)


def kept_size(shown: Size, spec: FrameSpec) -> Size:
    """The size at which to keep decoded frames: no larger than views and reports need them."""
    short_side = max(spec.short_side, _SHORT_SIDE_TO_SHOW)
    return shown if min(shown) <= short_side else _with_short_side(shown, short_side)


def centre_size(shown: Size, spec: FrameSpec) -> Size:
    """The size that frames of the size ``shown`` get before their centre is cut."""
    return Size(spec.size, spec.size) if spec.resize == "squash" else crop_source_size(shown, spec)


def crop_source_size(shown: Size, spec: FrameSpec) -> Size:
    """The size that frames of the size ``shown`` get before corners or random squares are cut."""
    if spec.resize == "squash":
        return Size(spec.short_side, spec.short_side)
    return _with_short_side(shown, spec.short_side)


def centre_crop(resized: Size, spec: FrameSpec) -> Crop:
    """The middle."""
    return Crop((resized.height - spec.size) // 2, (resized.width - spec.size) // 2)


def ten_crops(resized: Size, spec: FrameSpec) -> list[Crop]:
    """The corners (top left, top right, bottom left, bottom right), the centre, and their mirror images."""
    bottom, right = resized.height - spec.size, resized.width - spec.size
    corners = [Crop(0, 0), Crop(0, right), Crop(bottom, 0), Crop(bottom, right), centre_crop(resized, spec)]
    return corners + [Crop(corner.top, corner.left, mirrored=True) for corner in corners]


def random_crop(resized: Size, spec: FrameSpec, rng: np.random.Generator) -> Crop:
    """Any place, and a coin for the mirror image: the flip in training.

    Where features are kept, :class:`~attcell.data.datasets.TrainingFeatures` tosses the coin.
    """
    top = int(rng.integers(resized.height - spec.size + 1))
    left = int(rng.integers(resized.width - spec.size + 1))
    return Crop(top, left, mirrored=bool(rng.random() < 0.5))


def attended_area(shown: Size, spec: FrameSpec) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what the centre crop shows, as fractions of a frame's width and height."""
    size = centre_size(shown, spec)
    crop = centre_crop(size, spec)
    return (
        crop.left / size.width,
        crop.top / size.height,
        (crop.left + spec.size) / size.width,
        (crop.top + spec.size) / size.height,
    )


def resized(images: Sequence[np.ndarray], size: Size) -> Tensor:
    """N images (H, W, 3) uint8 of one size -> (N, 3, height, width) uint8.

    One call for all: a call a frame crawls on a busy machine.

    Raises:
        CallError: images of different sizes, or none.
    """
    shapes = sorted({image.shape for image in images})
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][2] != 3:
        raise CallError(f"images have shapes {shapes}; all frames of a video must share one shape (H, W, 3)")
    frames = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return resized_pictures(frames, size)


def resized_pictures(pictures: Tensor, size: Size) -> Tensor:
    """Pictures (..., C, H, W) at another size, with antialiasing, in their own type.

    It is what ``torchvision.transforms.v2.functional.resize`` computes, without the second that importing it
    takes.
    """
    if pictures.shape[-2:] == (size.height, size.width):
        return pictures
    flat = pictures.reshape(-1, *pictures.shape[-3:])
    is_exact = pictures.is_floating_point() or (pictures.device.type == "cpu" and _resizes_bytes())
    found = torch.nn.functional.interpolate(
        flat if is_exact else flat.float(), (size.height, size.width), mode="bilinear", antialias=True
    )
    found = found if is_exact else found.round().to(pictures.dtype)
    return found.reshape(*pictures.shape[:-2], size.height, size.width)


def _resizes_bytes() -> bool:
    """Whether PyTorch resizes bytes faster than floats on this processor."""
    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def _with_short_side(shown: Size, short_side: int) -> Size:
    scale = short_side / min(shown)
    return Size(max(short_side, round(shown.width * scale)), max(short_side, round(shown.height * scale)))
