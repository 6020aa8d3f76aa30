"""What may be chosen of TV-L1, the choices that have a name, and the sizes that follow; no tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np

from attcell.errors import CallError

STEPS = 5  # round_iterations is a multiple of this


@dataclass(frozen=True)
class TVL1:
    """Settings of the method.

    Attributes:
        tau: time step of the dual variable's ascent, at most 0.25.
        attachment: λ, the weight of the brightness against the smoothness of the flow.
        theta: θ, how tightly the flow and its auxiliary copy are bound.
        num_scales: of the pyramid; fewer where the next one would be narrower than 16 pixels.
        scale_step: size of a scale relative to the one before.
        num_warps: at each scale.
        rounds: at most so many rounds a warp, each a median and then ``round_iterations``.
        round_iterations: a multiple of 5, for so many are done in one call.
        epsilon: a pair is done with a warp once the root mean square change of an iteration is not above
            this, in pixels; 0 takes all iterations.
        median: whether each round starts with a 5×5 median of the flow.
        warp: interpolation of the second picture and its gradient.
        exact_length: take lengths of the flow's gradient in float64 on the CPU, as OpenCV does; slower.
    """

    tau: float = 0.25
    attachment: float = 0.15
    theta: float = 0.3
    num_scales: int = 5
    scale_step: float = 0.8
    num_warps: int = 5
    rounds: int = 10
    round_iterations: int = 30
    epsilon: float = 0.01
    median: bool = True
    warp: Literal["bicubic", "bilinear"] = "bicubic"
    exact_length: bool = True

    def __post_init__(self) -> None:
        counts = (self.num_scales, self.num_warps, self.rounds, self.round_iterations)
        if min(counts) < 1 or self.round_iterations % STEPS:
            raise CallError(
                f"num_scales, num_warps, rounds and round_iterations are {counts}; allowed: 1 or more, and "
                f"for round_iterations a multiple of {STEPS}"
            )
        if not (0 < self.tau <= 0.25 and self.attachment > 0 and self.theta > 0 and self.epsilon >= 0):
            raise CallError(
                f"tau, attachment, theta and epsilon are {self.tau}, {self.attachment}, {self.theta} and "
                f"{self.epsilon}; allowed: tau in (0, 0.25], attachment and theta above 0, epsilon at least 0"
            )
        if not 0 < self.scale_step < 1:
            raise CallError(f"scale_step is {self.scale_step}; allowed: between 0 and 1")
        if self.warp not in ("bicubic", "bilinear"):
            raise CallError(f"warp is {self.warp!r}; allowed: 'bicubic', 'bilinear'")


_FAST = TVL1(
    num_scales=4,
    scale_step=0.5,
    num_warps=3,
    rounds=1,
    round_iterations=20,
    epsilon=0.0,
    warp="bilinear",
    exact_length=False,
)
PRESETS = MappingProxyType(
    {
        "paper": TVL1(),  # the defaults of OpenCV's DualTVL1, with the roundings of OpenCV 5 on x86
        "fast": _FAST,
        # At some three times the cost it finds larger motion, and errs less at borders.
        "fine": replace(_FAST, theta=0.4, num_scales=12, scale_step=TVL1.scale_step, rounds=2),
    }
)


def chosen_settings(settings: TVL1 | str) -> TVL1:
    """Those of a preset's name, or the settings themselves."""
    if isinstance(settings, TVL1):
        return settings
    if not isinstance(settings, str) or settings not in PRESETS:
        raise CallError(
            f"TV-L1 preset is {settings!r}; allowed: {', '.join(map(repr, PRESETS))}, or a TVL1(...)"
        )
    return PRESETS[settings]


# The median of 25 values by comparisons, which the plain version and the kernels make alike.
#
# Sorting the columns and then the rows of the 25 values leaves them sorted both ways. The value in row i and
# column j (from 1) then has i·j values that are not above it and (6 − i)(6 − j) that are not below. So 6 are
# surely too large to be the 13th, and 6 too small. Of the 13 that are left the 7th is the median. The
# smallest and the largest of any 8 of them are not: these two are thrown away, another one is taken in, and
# so on.

SORT_FIVE = ((0, 1), (3, 4), (2, 4), (2, 3), (0, 3), (0, 2), (1, 4), (1, 3), (1, 2))  # exchanged if wrong
# Row and column, from 0, of the 13 that are left.
MIDDLE_PLACES = tuple(
    (i - 1, j - 1) for i in range(1, 6) for j in range(1, 6) if i * j <= 13 and (6 - i) * (6 - j) <= 13
)


# The scales that follow from the settings, and where their pixels lie.

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


def resize_places(old: int, new: int, stride: float, shrinks: bool) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel of the result the one below it (new,), and the part of the way to the next (new,)."""
    place = np.clip((np.arange(new) + 0.5) * stride - 0.5, 0, old - 1)
    low = np.floor(place).astype(np.int64)
    if shrinks:  # then the last pixel is all the way from the one before it: another rounding
        low = np.minimum(low, max(old - 2, 0))
    return low, place - low
