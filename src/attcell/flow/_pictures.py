"""What the plain TV-L1 needs of pictures: resizing, gradients, warping, and the 5×5 median."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from attcell.flow._settings import MIDDLE_PLACES, SORT_FIVE, resize_places


def resized(pictures: Tensor, size: tuple[int, ...], step: float | None = None) -> Tensor:
    """(B, C, H, W) by linear interpolation without smoothing, as OpenCV's resize does it on x86.

    With a step, pixel x of the result lies at pixel x / step, whatever the rounding of the size.
    """
    for axis in (-1, -2):
        old, new = pictures.shape[axis], size[axis]
        places = resize_places(old, new, 1 / step if step else old / new, step is not None)
        is_cuda = pictures.is_cuda  # there the host need not wait
        low = torch.from_numpy(places[0]).to(pictures.device, non_blocking=is_cuda)
        part = torch.from_numpy(places[1]).to(pictures, non_blocking=is_cuda)
        below = pictures.index_select(axis, low)
        above = pictures.index_select(axis, (low + 1).clamp(max=old - 1))
        pictures = torch.addcmul(below, above - below, part if axis == -1 else part[:, None])
    return pictures


def central_gradient(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Half the difference of the two neighbours in x and in y; at the border the pixel itself is one."""
    padded = functional.pad(pictures[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    dx = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    dy = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    return dx, dy


# The second picture, and its gradient, seen through a flow.

_A = -0.75  # of Keys' cubic kernel
_BORDER = 4  # pixels of zero around a picture; whatever is seen from beyond them is zero


def seen_at_targets(pictures: Tensor, flow: Tensor, interpolation: str) -> Tensor:
    """(B, C, H, W) seen at each pixel's target x + u (flow (B, 2, H, W)); zero outside the pictures."""
    return _bilinear(pictures, flow) if interpolation == "bilinear" else _bicubic(pictures, flow)


def _bilinear(pictures: Tensor, flow: Tensor) -> Tensor:
    height, width = pictures.shape[-2:]
    x, y = _targets(flow)
    # grid_sample wants -1 to 1 from the first pixel to the last. Over a power of two pixels the way there and
    # back is exact; over any other number still pictures would seem to move by a rounding error, which TV-L1
    # makes visible: whole pixels at the border, and another code for every tenth pixel.
    reach_x, reach_y = _power_of_two(width - 1), _power_of_two(height - 1)
    grid = torch.stack([x * (2 / reach_x) - 1, y * (2 / reach_y) - 1], dim=-1)
    padded = functional.pad(pictures, (0, reach_x + 1 - width, 0, reach_y + 1 - height))
    return functional.grid_sample(padded, grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def _power_of_two(at_least: int) -> int:
    return 1 << max(0, at_least - 1).bit_length()


def _bicubic(pictures: Tensor, flow: Tensor) -> Tensor:
    """Every rounding as in OpenCV 5's remap: grid_sample's differ, and TV-L1 makes that visible."""
    rows = functional.pad(pictures, (_BORDER,) * 4).transpose(0, 1).flatten(1)
    planes = _seen(rows, pictures.shape[-1] + 2 * _BORDER, *_warp_places(flow))
    return planes.view(-1, *flow[:, 0].shape).transpose(0, 1)


def _targets(flow: Tensor) -> tuple[Tensor, Tensor]:
    """x and y (B, H, W)."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    return x, torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]


def _warp_places(flow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each target its place in a row of all the pairs' padded pictures, and the parts of pixels (N,).

    The place is that of the first of the 16 pixels that are seen, one to the left and one above.
    """
    num_pairs, _, height, width = flow.shape
    x, y = _targets(flow)
    left, top = x.floor(), y.floor()
    first = (top.clamp(-3, height + 1).int() + _BORDER - 1) * (width + 2 * _BORDER)
    first = first + (left.clamp(-3, width + 1).int() + _BORDER - 1)
    pair = torch.arange(num_pairs, device=flow.device, dtype=torch.int32)[:, None, None]
    first = first + pair * ((width + 2 * _BORDER) * (height + 2 * _BORDER))
    return first.flatten(), (x - left).flatten(), (y - top).flatten()


def _seen(rows: Tensor, stride: int, first: Tensor, part_x: Tensor, part_y: Tensor) -> Tensor:
    """Rows (C, pixels), places and parts (N,) -> (C, N)."""
    weights_x, weights_y = _weights(part_x), _weights(part_y)
    places = [[first + (j * stride + i) for i in range(4)] for j in range(4)]
    planes = []
    for row in rows:
        lines = [_dot([row.index_select(0, place) for place in line], weights_x) for line in places]
        planes.append(_dot(lines, weights_y))
    return torch.stack(planes)


def _dot(values: list[Tensor], weights: list[Tensor]) -> Tensor:
    total = values[0] * weights[0]
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total = _sum_of(total, value, weight)
    return total


def _weights(part: Tensor) -> list[Tensor]:
    """Keys' cubic kernel at -1 - part, -part, 1 - part and 2 - part."""
    one = torch.ones_like(part)
    rest, squared = 1 - part, part * part
    outer, last = _A * (part * (rest * rest)), _A * (squared * rest)
    slope = _sum_of(torch.full_like(part, -_A - 3), torch.full_like(part, _A + 2), part)
    inner = _sum_of(one, slope, squared)
    return [outer, inner, one - outer - inner - last, last]


def _sum_of(before: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """before + a·b, rounded once: what a processor's fused multiply-add gives."""
    return torch.addcmul(before, a, b)


# The median of each pixel's 5×5 neighbourhood, by comparisons of whole planes.


def median5(planes: Tensor) -> Tensor:
    """(B, H, W) -> (B, H, W); beyond the border the nearest pixel is repeated."""
    padded = functional.pad(planes[:, None], (2, 2, 2, 2), mode="replicate")[:, 0]
    return _middle(*_columns(padded))


def _columns(padded: Tensor) -> tuple[Tensor, ...]:
    """(B, H + 4, W + 4) -> the five values above one another, sorted: five planes (B, H, W + 4)."""
    height = padded.shape[-2] - 4
    return tuple(_sorted([padded[:, y : y + height, :] for y in range(5)]))


def _middle(*columns: Tensor) -> Tensor:
    """Sorted columns, five planes (B, H, W + 4) -> the median (B, H, W)."""
    width = columns[0].shape[-1] - 4
    rows = [_sorted([column[:, :, x : x + width] for x in range(5)]) for column in columns]
    left = [rows[i][j] for i, j in MIDDLE_PLACES]
    kept, left = left[:8], left[8:]
    while True:
        kept = _without_extremes(kept)
        if not left:
            return kept[0]
        kept.append(left.pop())


def _sorted(values: list[Tensor]) -> list[Tensor]:
    values = list(values)
    for low, high in SORT_FIVE:
        values[low], values[high] = _ordered(values[low], values[high])
    return values


def _without_extremes(values: list[Tensor]) -> list[Tensor]:
    """All but the smallest and the largest."""
    values = list(values)
    half = len(values) // 2
    for i in range(half):  # the smaller of each two to the front, the larger to the back
        values[i], values[-1 - i] = _ordered(values[i], values[-1 - i])
    for i in range(1, (len(values) + 1) // 2):
        values[0], values[i] = _ordered(values[0], values[i])
    for i in range(half, len(values) - 1):
        values[i], values[-1] = _ordered(values[i], values[-1])
    return values[1:-1]


def _ordered(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return torch.minimum(a, b), torch.maximum(a, b)
