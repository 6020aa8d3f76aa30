"""What TV-L1 needs of pictures at several scales: their sizes, resizing, and gradients."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_NARROWEST = 16  # pixels; a scale below this is left out


def pyramid_sizes(height: int, width: int, num_scales: int, step: float) -> list[tuple[int, int]]:
    """Height and width of each scale, the full one first."""
    sizes = [(height, width)]
    for _ in range(num_scales - 1):
        height, width = round(height * step), round(width * step)
        if min(height, width) < _NARROWEST:
            break
        sizes.append((height, width))
    return sizes


def resized(pictures: Tensor, size: tuple[int, ...], step: float | None = None) -> Tensor:
    """(B, C, H, W) by linear interpolation without smoothing, as OpenCV's resize does it on x86.

    With a step, pixel x of the result lies at pixel x / step, whatever the rounding of the size.
    """
    for axis in (-1, -2):
        old, new = pictures.shape[axis], size[axis]
        low, part = _places(old, new, 1 / step if step else old / new, step is not None)
        low, part = low.to(pictures.device), part.to(pictures)
        below = pictures.index_select(axis, low)
        above = pictures.index_select(axis, (low + 1).clamp(max=old - 1))
        pictures = torch.addcmul(below, above - below, part if axis == -1 else part[:, None])
    return pictures


def _places(old: int, new: int, stride: float, shrinks: bool) -> tuple[Tensor, Tensor]:
    """For each pixel of the result the one below it (new,), and the part of the way to the next (new,)."""
    place = ((torch.arange(new, dtype=torch.float64) + 0.5) * stride - 0.5).clamp(0, old - 1)
    low = place.floor().long()
    if shrinks:  # then the last pixel is all the way from the one before it: another rounding
        low = low.clamp(max=max(old - 2, 0))
    return low, place - low


def central_gradient(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Half the difference of the two neighbours in x and in y; at the border the pixel itself is one."""
    padded = functional.pad(pictures[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    dx = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    dy = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    return dx, dy
