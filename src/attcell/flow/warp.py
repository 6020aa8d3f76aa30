"""The second picture, and its gradient, seen through a flow."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_A = -0.75  # of Keys' cubic kernel
# Without AVX-512 the C++ compiler drops a float32 between two float64, and its rounding, unless it is used.
_HAS_AVX512 = torch.backends.cpu.get_cpu_capability() == "AVX512"
_BORDER = 4  # pixels of zero around a picture; whatever is seen from beyond them is zero


def warped(pictures: Tensor, flow: Tensor, interpolation: str, compiled: bool = False) -> Tensor:
    """(B, C, H, W) seen at each pixel's target x + u (flow (B, 2, H, W)); zero outside the pictures."""
    return _bilinear(pictures, flow) if interpolation == "bilinear" else _bicubic(pictures, flow, compiled)


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


def _bicubic(pictures: Tensor, flow: Tensor, compiled: bool) -> Tensor:
    """Every rounding as in OpenCV 5's remap: grid_sample's differ, and TV-L1 makes that visible."""
    # Two functions, for the compiler would find each place anew for every channel.
    places, seen = (_compiled(_places), _compiled(_seen)) if compiled else (_places, _seen)
    rows = functional.pad(pictures, (_BORDER,) * 4).transpose(0, 1).flatten(1)
    planes = seen(rows, pictures.shape[-1] + 2 * _BORDER, *places(flow))
    return planes.view(-1, *flow[:, 0].shape).transpose(0, 1)


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, dynamic=True)


def _targets(flow: Tensor) -> tuple[Tensor, Tensor]:
    """x and y (B, H, W)."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    return x, torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]


def _places(flow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
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
    if torch.compiler.is_compiling() and a.device.type == "cpu":  # there it would round the product too
        total = (before.double() + a.double() * b.double()).to(a.dtype)
        return total if _HAS_AVX512 else total.clamp(min=torch.finfo(a.dtype).min)
    return torch.addcmul(before, a, b)
