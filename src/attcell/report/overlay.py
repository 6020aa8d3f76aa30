"""Attention drawn over frames: from (K, K) weights to colours."""

from __future__ import annotations

import numpy as np

from attcell.metrics.maps import smoothed

HEAT_PIXELS = 112
"""About the side of a smoothed map: 16 pixels a region for K = 7, fewer for finer maps, never under 4."""

OUTSIDE_BRIGHTNESS = 0.6
"""How bright the part of a frame stays that the network did not see."""

# Position on the scale, then red, green, blue (0..255) and opacity (0..1): dark violet, orange, pale yellow.
_ANCHORS = np.array(
    [
        [0.00, 70, 10, 105, 0.00],
        [0.12, 125, 25, 115, 0.24],
        [0.30, 205, 55, 75, 0.56],
        [0.55, 245, 115, 30, 0.80],
        [0.80, 253, 185, 45, 0.94],
        [1.00, 253, 240, 140, 1.00],
    ]
)
_LEVELS = 128


def _ramp() -> np.ndarray:
    """The colour scale as (levels, 4) uint8. Few levels, so that a map makes a small palette PNG."""
    at = np.linspace(0, 1, _LEVELS)
    scale = np.array([1, 1, 1, 255])
    channels = [np.interp(at, _ANCHORS[:, 0], _ANCHORS[:, 1 + c] * scale[c]) for c in range(4)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


RAMP = _ramp()


def _shade() -> np.ndarray:
    """Black that clears up with the weight, as (levels, 4) uint8; faster at first, to show small weights."""
    opacity = 255 * (1 - np.linspace(0, 1, _LEVELS) ** 0.75)
    return np.column_stack([np.zeros((_LEVELS, 3)), opacity]).round().astype(np.uint8)


SHADE = _shade()
"""For pictures of flow, whose colours mean something themselves: there, attention is light, not colour."""


def peak_weight(maps: np.ndarray) -> float:
    """The weight that takes the hottest colour, one for all maps (T, K, K) so that they compare.

    It is the largest weight, but no less than five times the even weight 1/K²: otherwise even attention,
    which says nothing, would glow all over.
    """
    even = 1.0 / (maps.shape[-2] * maps.shape[-1])
    return max(float(maps.max()), min(1.0, 5 * even))


def heat_levels(attention: np.ndarray, peak: float) -> np.ndarray:
    """The rows of ``RAMP`` for attention (K, K): (k, k) uint8, k a multiple of K."""
    rows, columns = attention.shape
    cell = max(4, min(16, HEAT_PIXELS // max(rows, columns)))
    return _levels(smoothed(attention, columns * cell, rows * cell), peak)


def _levels(values: np.ndarray, peak: float) -> np.ndarray:
    share = np.clip(values / max(peak, 1e-12), 0, 1)
    return (share * (_LEVELS - 1)).round().astype(np.uint8)


def attention_heat(attention: np.ndarray, peak: float) -> np.ndarray:
    """The heat picture of one map.

    Args:
        attention: (K, K) weights of the regions, from the top left.
        peak: the weight that gets the hottest colour; larger ones get the same.

    Returns:
        (k, k, 4) uint8 red, green, blue and opacity, k a multiple of K (112 for K = 7). A weight of
        zero is transparent, ``peak`` is opaque.
    """
    return RAMP[heat_levels(attention, peak)]


def pixel_box(
    attended_area: tuple[float, float, float, float], width: int, height: int
) -> tuple[int, int, int, int]:
    """left, top, right, bottom in whole pixels, inside the frame and never empty."""
    left, top, right, bottom = attended_area
    x0 = min(max(round(left * width), 0), width - 1)
    y0 = min(max(round(top * height), 0), height - 1)
    return (
        x0,
        y0,
        min(max(round(right * width), x0 + 1), width),
        min(max(round(bottom * height), y0 + 1), height),
    )


def overlay(
    frame: np.ndarray,
    attention: np.ndarray,
    attended_area: tuple[float, float, float, float],
    peak: float,
    strength: float = 0.6,
    ramp: np.ndarray = RAMP,
) -> np.ndarray:
    """One frame with its attention over it.

    Args:
        frame: (H, W, 3) uint8.
        attention: (K, K) weights; they cover ``attended_area`` alone.
        attended_area: left, top, right, bottom as fractions of the frame; the rest is dimmed a little, or
            in a shade as dark as what got no attention.
        peak: the weight that gets the hottest colour.
        strength: opacity of the hottest colour, 0 to 1.
        ramp: ``RAMP`` for frames, ``SHADE`` for pictures of flow.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = pixel_box(attended_area, width, height)
    heat = ramp[_levels(smoothed(attention, x1 - x0, y1 - y0), peak)].astype(np.float32)
    picture = frame.astype(np.float32) * (1 - strength if ramp is SHADE else OUTSIDE_BRIGHTNESS)
    opacity = heat[..., 3:] / 255 * strength
    picture[y0:y1, x0:x1] = frame[y0:y1, x0:x1] * (1 - opacity) + heat[..., :3] * opacity
    return picture.round().astype(np.uint8)
