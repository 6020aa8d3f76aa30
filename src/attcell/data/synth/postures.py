"""The postures of a little articulated figure, and the motions that lead through them.

Every motion here goes from standing to its own posture and back, once a cycle: part of every action looks
like standing, which all classes share.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Posture:
    """Angles in degrees from straight down, outward positive; ``lift`` is the feet's height over the ground.

    ``near`` is the side that acts in one-sided motions. ``lift`` is in body heights, ``lean`` in degrees
    towards the far side.
    """

    near_arm: float = 14.0
    near_forearm: float = 8.0
    far_arm: float = 14.0
    far_forearm: float = 8.0
    near_thigh: float = 7.0
    near_shin: float = 3.0
    far_thigh: float = 7.0
    far_shin: float = 3.0
    lean: float = 0.0
    lift: float = 0.0


STANDING = Posture()


def blend(start: Posture, end: Posture, weight: float) -> Posture:
    """The posture between two: ``start`` at weight 0, ``end`` at 1."""
    values = {
        f.name: (1.0 - weight) * getattr(start, f.name) + weight * getattr(end, f.name)
        for f in fields(Posture)
    }
    return Posture(**values)


def _peak(motion: str, turn: float) -> Posture:
    """The posture that belongs to ``motion`` alone; ``turn`` is the cycle's angle in radians."""
    if motion == "wave":
        swing = 26.0 * np.sin(2.0 * turn)
        return Posture(150 + swing, 172 + swing, 150 - swing, 172 - swing)
    if motion == "kick":
        return Posture(34, 20, 66, 84, near_thigh=88, near_shin=84, far_thigh=2, far_shin=2, lean=12)
    if motion == "squat":
        return Posture(78, 100, 78, 100, near_thigh=84, near_shin=-14, far_thigh=84, far_shin=-14)
    if motion == "star":
        return Posture(128, 128, 128, 128, 34, 32, 34, 32, lift=0.12)
    if motion == "punch":
        return Posture(90, 90, 40, -120, near_thigh=24, near_shin=-4, far_thigh=26, far_shin=22, lean=-12)
    raise ValueError(f"no motion {motion!r}")


def acting(motion: str, cycles: float, amplitude: float = 1.0) -> Posture:
    """The posture after ``cycles`` cycles of ``motion``: standing at whole numbers, the peak half-way."""
    turn = 2.0 * np.pi * cycles
    weight = min(1.0, 1.3 * (1.0 - np.cos(turn)))  # at the peak for more than half of a cycle
    return blend(STANDING, _peak(motion, turn), amplitude * weight)


def standing(seconds: float) -> Posture:
    """Standing, with a slow sway of the arms that every figure has."""
    sway = float(np.sin(2.2 * seconds))
    return Posture(16 + 7 * sway, 10 + 9 * sway, 16 - 7 * sway, 10 - 9 * sway, lean=2.0 * sway)


def walking(cycles: float) -> Posture:
    """Walking seen from the front and a little from the side: small swings of arms and legs."""
    swing = float(np.sin(2.0 * np.pi * cycles))
    return Posture(
        16 + 16 * swing, 10 + 20 * swing, 16 - 16 * swing, 10 - 20 * swing,
        near_thigh=6 - 16 * swing, near_shin=2 - 10 * swing,
        far_thigh=6 + 16 * swing, far_shin=2 + 10 * swing,
    )  # fmt: skip
