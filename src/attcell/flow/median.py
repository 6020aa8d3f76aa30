"""The median of each pixel's 5×5 neighbourhood, by comparisons of whole planes.

Sorting the columns and then the rows of the 25 values leaves them sorted both ways. The value in row i and
column j (from 1) then has i·j values that are not above it and (6 − i)(6 − j) that are not below. So 6 are
surely too large to be the 13th, and 6 too small. Of the 13 that are left the 7th is the median. The
smallest and the largest of any 8 of them are not: these two are thrown away, another one is taken in, and
so on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_SORT_FIVE = ((0, 1), (3, 4), (2, 4), (2, 3), (0, 3), (0, 2), (1, 4), (1, 3), (1, 2))


def median5(planes: Tensor, compiled: bool = False) -> Tensor:
    """(B, H, W) -> (B, H, W); beyond the border the nearest pixel is repeated."""
    # Two functions, for the compiler would sort each column anew for every pixel that it serves.
    columns, middle = (_compiled(_columns), _compiled(_middle)) if compiled else (_columns, _middle)
    padded = functional.pad(planes[:, None], (2, 2, 2, 2), mode="replicate")[:, 0]
    return middle(*columns(padded))


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, dynamic=True)


def _columns(padded: Tensor) -> tuple[Tensor, ...]:
    """(B, H + 4, W + 4) -> the five values above one another, sorted: five planes (B, H, W + 4)."""
    height = padded.shape[-2] - 4
    return tuple(_sorted([padded[:, y : y + height, :] for y in range(5)]))


def _middle(*columns: Tensor) -> Tensor:
    """Sorted columns, five planes (B, H, W + 4) -> the median (B, H, W)."""
    width = columns[0].shape[-1] - 4
    rows = [_sorted([column[:, :, x : x + width] for x in range(5)]) for column in columns]
    left = [
        rows[i - 1][j - 1]
        for i in range(1, 6)
        for j in range(1, 6)
        if i * j <= 13 and (6 - i) * (6 - j) <= 13
    ]
    kept, left = left[:8], left[8:]
    while True:
        kept = _without_extremes(kept)
        if not left:
            return kept[0]
        kept.append(left.pop())


def _sorted(values: list[Tensor]) -> list[Tensor]:
    values = list(values)
    for low, high in _SORT_FIVE:
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
