"""The motions that only their path tells: all take one posture, which a single frame shows, and go their way.

A figure may stand anywhere and be larger or smaller, so that one frame does not show how it moves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from attcell.data.synth.postures import STANDING, Posture, blend

_READY = Posture(92, 120, 92, 120, 72, -8, 72, -8)  # arms out, knees bent far apart


class Displacement(NamedTuple):
    """How far the figure is from its place, in body heights (right and down), and how much larger it is."""

    right: float = 0.0
    down: float = 0.0
    growth: float = 0.0


def ready(cycles: float, amplitude: float = 1.0) -> Posture:
    """The posture that all paths share, taken up in the first quarter of the first cycle."""
    return blend(STANDING, _READY, amplitude * min(1.0, 4.0 * cycles))


def displacement(motion: str, cycles: float, amplitude: float = 1.0) -> Displacement:
    """Where the figure is after ``cycles`` cycles of ``motion``: in its place at whole numbers."""
    turn = 2.0 * np.pi * cycles
    sine, lift = amplitude * float(np.sin(turn)), amplitude * float(1.0 - np.cos(turn))
    if motion == "slide":
        return Displacement(right=0.14 * sine)
    if motion == "hop":
        return Displacement(down=-0.13 * lift)
    if motion == "charge":
        return Displacement(down=0.12 * sine, growth=0.24 * sine)  # about the middle of the body
    if motion == "circle":
        return Displacement(right=0.13 * sine, down=-0.13 * lift)
    if motion == "shake":
        return Displacement(right=0.07 * amplitude * float(np.sin(3.0 * turn)))
    raise ValueError(f"no motion {motion!r}")
