"""What TV-L1 needs of pictures: scales, gradients, and the second picture seen through a flow."""

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
    """(B, C, H, W) by linear interpolation without smoothing, as OpenCV's resize does it.

    With a step, pixel x of the result lies at pixel x / step, whatever the rounding of the size.
    """
    return torch.ops.aten.upsample_bilinear2d(pictures, list(size), False, step, step)


def central_gradient(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Half the difference of the two neighbours in x and in y; at the border the pixel itself is one."""
    padded = functional.pad(pictures[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    dx = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    dy = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    return dx, dy


def warped(pictures: Tensor, flow: Tensor, interpolation: str) -> Tensor:
    """(B, C, H, W) seen at each pixel's target x + u (flow (B, 2, H, W)); zero outside the pictures."""
    height, width = pictures.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    # grid_sample wants -1 to 1 from the first pixel to the last. Over a power of two pixels the way there and
    # back is exact; over any other number still pictures would seem to move by a rounding error, which TV-L1
    # makes visible: whole pixels at the border, and another code for every tenth pixel.
    reach_x, reach_y = _power_of_two(width - 1), _power_of_two(height - 1)
    grid = torch.stack([x * (2 / reach_x) - 1, y * (2 / reach_y) - 1], dim=-1)
    padded = functional.pad(pictures, (0, reach_x + 1 - width, 0, reach_y + 1 - height))
    return functional.grid_sample(padded, grid, mode=interpolation, padding_mode="zeros", align_corners=True)


def _power_of_two(at_least: int) -> int:
    return 1 << max(0, at_least - 1).bit_length()
