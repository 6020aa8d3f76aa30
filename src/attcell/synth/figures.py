"""The little articulated figures: their postures, the motions that lead through them, and how they are drawn.

*Postures*: every motion goes from standing to its own posture and back, once a cycle, so that part of every
action looks like standing, which all classes share.

*Paths*: these motions all take one posture, which a single frame shows, and only the way that the figure goes
tells them. A figure may stand anywhere and be larger or smaller, so that one frame does not show how it
moves.

A figure is drawn several times larger than it will be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]


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
_READY = Posture(92, 120, 92, 120, 72, -8, 72, -8)  # arms out, knees bent far apart


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


@dataclass(frozen=True)
class Look:
    """The colours of one figure, and how broad it is (1 is the usual build)."""

    shirt: Colour
    trousers: Colour
    skin: Colour
    hair: Colour
    build: float = 1.0


@dataclass(frozen=True)
class _Part:
    """A thick line with round ends through ``points``, or a filled shape where ``width`` is 0."""

    points: tuple[Point, ...]
    width: float
    colour: Colour


def _step(start: Point, degrees: float, length: float, side: float) -> Point:
    angle = np.deg2rad(degrees)
    return (start[0] + side * length * float(np.sin(angle)), start[1] + length * float(np.cos(angle)))


class Skeleton(NamedTuple):
    """Joints in units of the body's height: x to the right, y downwards, the feet's ground at 0.

    A limb is its root, its middle joint and its end.
    """

    hip: Point
    neck: Point
    head: Point
    far_leg: tuple[Point, Point, Point]
    near_leg: tuple[Point, Point, Point]
    far_arm: tuple[Point, Point, Point]
    near_arm: tuple[Point, Point, Point]


def skeleton(posture: Posture, build: float, near_side: float) -> Skeleton:
    """Where the joints of a figure are.

    Args:
        posture: its angles.
        build: how broad it is.
        near_side: 1 where the acting side is on the right, -1 on the left.
    """
    p, side, broad = posture, near_side, build
    hip = (0.0, 0.0)
    neck = _step(hip, 180.0 - p.lean, 0.31, -side)
    head = _step(neck, 180.0 - p.lean, 0.115, -side)

    def limb(
        root: Point, way: float, first: float, second: float, length: float
    ) -> tuple[Point, Point, Point]:
        joint = _step(root, first, length, way)
        return root, joint, _step(joint, second, length, way)

    near_shoulder = (neck[0] + side * 0.085 * broad, neck[1] + 0.035)
    far_shoulder = (neck[0] - side * 0.085 * broad, neck[1] + 0.035)
    near_arm = limb(near_shoulder, side, p.near_arm, p.near_forearm, 0.175)
    far_arm = limb(far_shoulder, -side, p.far_arm, p.far_forearm, 0.175)
    near_leg = limb((side * 0.045 * broad, 0.0), side, p.near_thigh, p.near_shin, 0.235)
    far_leg = limb((-side * 0.045 * broad, 0.0), -side, p.far_thigh, p.far_shin, 0.235)
    ground = max(near_leg[-1][1], far_leg[-1][1]) + 0.03 + p.lift

    def on_ground(points: Sequence[Point]) -> tuple[Point, ...]:
        return tuple((x, y - ground) for x, y in points)

    ((hip, neck, head), *limbs) = (
        on_ground(points) for points in ((hip, neck, head), far_leg, near_leg, far_arm, near_arm)
    )
    far_leg, near_leg, far_arm, near_arm = ((a, b, c) for a, b, c in limbs)
    return Skeleton(hip, neck, head, far_leg, near_leg, far_arm, near_arm)


def _parts(posture: Posture, look: Look, near_side: float) -> list[_Part]:
    """The body in units of its height, from back to front."""
    body, broad = skeleton(posture, look.build, near_side), look.build
    (hip_x, hip_y), neck, head = body.hip, body.neck, body.head
    parts = [_Part(leg, 0.085 * broad, look.trousers) for leg in (body.far_leg, body.near_leg)]
    shoulders = [(neck[0] + way * 0.1 * broad, neck[1] + 0.01) for way in (-1, 1)]
    hips = [(hip_x + way * 0.075 * broad, hip_y + 0.03) for way in (1, -1)]
    parts.append(_Part((shoulders[0], shoulders[1], hips[0], hips[1]), 0.0, look.shirt))
    for arm in (body.far_arm, body.near_arm):
        parts.append(_Part(arm[1:], 0.062 * broad, look.skin))
        parts.append(_Part(arm[:2], 0.075 * broad, look.shirt))
    parts.append(_Part((head, (head[0], head[1] - 0.025)), 0.15, look.hair))
    parts.append(_Part((head, (head[0], head[1] + 0.01)), 0.125, look.skin))
    return parts


def _draw(draw: ImageDraw.ImageDraw, part: _Part, feet: Point, height: float, outline: float) -> None:
    points = [(feet[0] + height * x, feet[1] + height * y) for x, y in part.points]
    width = height * part.width + 2.0 * outline
    if part.width == 0.0:
        draw.polygon(points, fill=part.colour)
        points = [*points, points[0]]
    if width < 1.0:
        return
    draw.line(points, fill=part.colour, width=round(width))
    for x, y in points:
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=part.colour)


def draw_figure(
    canvas: Image.Image,
    posture: Posture,
    look: Look,
    *,
    feet: Point,
    height: float,
    near_side: int,
    scale: int,
) -> tuple[float, float, float, float] | None:
    """Draw a figure on ``canvas``, which is ``scale`` times larger than the final frame.

    Args:
        canvas: an RGB image, changed in place.
        feet: where the ground under the figure is, in pixels of the final frame.
        height: of the standing body, in pixels of the final frame.
        near_side: 1 where the acting side is on the right, -1 on the left.

    Returns:
        The tight box (left, top, right, bottom) in pixels of the final frame, clipped to it, or None where
        the figure is out of the frame.
    """
    parts = _parts(posture, look, near_side)
    place, size = (feet[0] * scale, feet[1] * scale), height * scale
    draw = ImageDraw.Draw(canvas)
    dark = (look.trousers[0] // 4, look.trousers[1] // 4, look.trousers[2] // 4)
    for part in parts:
        _draw(draw, _Part(part.points, part.width, dark), place, size, outline=0.45 * scale)
    for part in parts:
        _draw(draw, part, place, size, outline=0.0)
    return _box(parts, feet, height, (canvas.width / scale, canvas.height / scale))


def _box(
    parts: list[_Part], feet: Point, height: float, frame: tuple[float, float]
) -> tuple[float, float, float, float] | None:
    corners = []
    for part in parts:
        for x, y in part.points:
            reach = 0.5 * part.width
            corners += [(x - reach, y - reach), (x + reach, y + reach)]
    xy = np.asarray(corners) * height + np.asarray(feet)
    left, top = np.maximum(xy.min(axis=0) - 0.45, 0.0)
    right, bottom = np.minimum(xy.max(axis=0) + 0.45, frame)
    if right - left < 1.0 or bottom - top < 1.0:
        return None
    return float(left), float(top), float(right), float(bottom)
