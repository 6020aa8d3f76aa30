"""Optical flow in the usual colours (Baker et al. 2007): the hue is the direction, the strength the speed.

torchvision's ``flow_to_image`` scales every call to its own largest motion, and takes no scale; here all
segments of a video share one, so that they compare, and what is faster is darkened.
"""

from __future__ import annotations

import numpy as np

from attcell.errors import CallError

# How many steps the wheel takes from each of red, yellow, green, cyan, blue and magenta to the next. More
# steps where the eye tells more hues apart.
_STEPS = (15, 6, 4, 11, 13, 6)
_CORNERS = np.array([(1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0)])
_BEYOND = 0.75  # how bright the colours of larger motion than the scale are

LEAST_SCALE = 0.5
"""Pixels a frame. A video in which nothing moves faster stays pale: else a still one's noise would glow."""


def _wheel() -> np.ndarray:
    """The hues (55, 3), 0..255, clockwise on the screen from the motion to the right."""
    hues = [
        np.floor(255 * (before + (after - before) * np.arange(steps)[:, None] / steps))
        for steps, before, after in zip(_STEPS, _CORNERS[:-1], _CORNERS[1:], strict=True)
    ]
    return np.concatenate(hues)


WHEEL = _wheel()


def flow_scale(flow: np.ndarray) -> float:
    """The speed that takes the full colour, one for all segments (T, 2, h, w) so that they compare.

    Below it lie 99.5% of the pixels: a few wrong vectors, as at the border, must not make the rest pale.
    """
    return max(float(np.quantile(speeds(flow), 0.995)), LEAST_SCALE)


def speeds(flow: np.ndarray) -> np.ndarray:
    """The length of each vector: (..., 2, h, w) to (..., h, w)."""
    return np.hypot(flow[..., 0, :, :], flow[..., 1, :, :])


def flow_colours(flow: np.ndarray, scale: float) -> np.ndarray:
    """The colours of one field.

    Args:
        flow: (2, h, w), x to the right and y downwards, in pixels a frame.
        scale: the speed that takes the full colour; what is faster is darkened.

    Returns:
        (h, w, 3) uint8. No motion is white; right is red, down yellow, left cyan, up violet.

    Raises:
        CallError: a scale that is not above zero, or flow that is not finite.
    """
    if not scale > 0:
        raise CallError(f"scale is {scale}; allowed: a number of pixels a frame above 0")
    if not np.isfinite(flow).all():
        raise CallError("flow holds values that are not finite numbers; they have no colour")
    speed = (speeds(flow) / scale)[..., None]
    hues = _hues(flow)
    colours = np.where(speed <= 1, 255 - np.minimum(speed, 1) * (255 - hues), _BEYOND * hues)
    return np.floor(colours).astype(np.uint8)


def _hues(flow: np.ndarray) -> np.ndarray:
    """(2, h, w) to the full colours (h, w, 3), 0..255."""
    x, y = flow.astype(np.float64) + 0.0  # -0.0 becomes 0.0: else the right would be the wheel's other end
    at = (np.arctan2(-y, -x) / np.pi + 1) / 2 * (len(WHEEL) - 1)
    before = np.floor(at).astype(int)
    share = (at - before)[..., None]
    return (1 - share) * WHEEL[before] + share * WHEEL[(before + 1) % len(WHEEL)]


def wheel_picture(side: int) -> np.ndarray:
    """The colours of all motions up to the scale: (side, side, 4) uint8, a disc on transparent ground."""
    x, y = np.meshgrid(*[(np.arange(side) + 0.5) * 2 / side - 1] * 2)
    inside = np.hypot(x, y) <= 1
    colours = flow_colours(np.stack([x, y]) * inside, 1.0)
    return np.dstack([colours, np.where(inside, 255, 0).astype(np.uint8)])
