"""The colours of everything that is drawn: attention over frames, and the lines and letters of figures.

The page's own colours, light and dark, are the variables at the top of ``page/templates/page.css``; those of
optical flow, which are a convention, are in :mod:`attcell.flow.colours`.
"""

from __future__ import annotations

import numpy as np

INK, SOFT, FAINT, ACCENT = "#1c1d20", "#63666d", "#e6e6e2", "#c2410c"
"""Of figures, as on the light page: letters, lesser letters, lines, and what matters."""

BOX = "#22d3ee"
"""Of true boxes over frames."""

OUTSIDE_BRIGHTNESS = 0.6
"""How bright the part of a frame stays that the network did not see."""

# Position on the scale, then red, green, blue (0..255) and opacity (0..1): dark
# violet, orange, pale yellow.
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
