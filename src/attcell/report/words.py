"""What pictures show, in words, for people who do not see them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from attcell.report.flow_colours import speeds

_DIRECTIONS = (
    "to the right",
    "down and to the right",
    "down",
    "down and to the left",
    "to the left",
    "up and to the left",
    "up",
    "up and to the right",
)


def attended_words(maps: Mapping[str, np.ndarray], area: tuple[float, float, float, float]) -> str:
    """Where the attention (K, K) of each stream peaks; the maps cover ``area``, fractions of the frame."""
    said = []
    for name, map_ in maps.items():
        row, column = np.unravel_index(int(np.argmax(map_)), map_.shape)
        x = area[0] + (int(column) + 0.5) / map_.shape[1] * (area[2] - area[0])
        y = area[1] + (int(row) + 0.5) / map_.shape[0] * (area[3] - area[1])
        across, down = ("left", "centre", "right")[int(x * 3)], ("top", "middle", "bottom")[int(y * 3)]
        said.append(f"{name} attention is strongest at {down} {across}")
    return "; ".join(said).capitalize() + "." if said else ""


def motion_words(flow: np.ndarray) -> str:
    """How fast the fastest part of a field (2, h, w) moves, and which way; y points downwards."""
    speed = speeds(flow)
    row, column = np.unravel_index(int(np.argmax(speed)), speed.shape)
    if speed[row, column] < 0.05:
        return "Nothing moves."
    x, y = flow[:, row, column]
    way = _DIRECTIONS[round(float(np.arctan2(y, x)) / (np.pi / 4)) % 8]
    return f"The fastest part moves {speed[row, column]:.1f} pixels a frame {way}."
