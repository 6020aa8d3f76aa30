"""Drawing one figure: a posture and clothes → pixels, several times larger than they will be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from attcell.data.synth.postures import Posture

Colour = tuple[int, int, int]
Point = tuple[float, float]


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


def _parts(posture: Posture, look: Look, near_side: float) -> list[_Part]:
    """The body in units of its height: x to the right, y downwards, the feet's ground at 0."""
    p, side, broad = posture, near_side, look.build
    hip = (0.0, 0.0)
    neck = _step(hip, 180.0 - p.lean, 0.31, -side)
    head = _step(neck, 180.0 - p.lean, 0.115, -side)

    def limb(root: Point, way: float, first: float, second: float, length: float) -> list[Point]:
        joint = _step(root, first, length, way)
        return [root, joint, _step(joint, second, length, way)]

    near_shoulder = (neck[0] + side * 0.085 * broad, neck[1] + 0.035)
    far_shoulder = (neck[0] - side * 0.085 * broad, neck[1] + 0.035)
    near_arm = limb(near_shoulder, side, p.near_arm, p.near_forearm, 0.175)
    far_arm = limb(far_shoulder, -side, p.far_arm, p.far_forearm, 0.175)
    near_leg = limb((side * 0.045 * broad, 0.0), side, p.near_thigh, p.near_shin, 0.235)
    far_leg = limb((-side * 0.045 * broad, 0.0), -side, p.far_thigh, p.far_shin, 0.235)
    ground = max(near_leg[-1][1], far_leg[-1][1]) + 0.03 + p.lift

    parts = [_Part(tuple(leg), 0.085 * broad, look.trousers) for leg in (far_leg, near_leg)]
    shoulders = [(neck[0] + way * 0.1 * broad, neck[1] + 0.01) for way in (-1, 1)]
    hips = [(way * 0.075 * broad, 0.03) for way in (1, -1)]
    parts.append(_Part((shoulders[0], shoulders[1], hips[0], hips[1]), 0.0, look.shirt))
    for arm in (far_arm, near_arm):
        parts.append(_Part(tuple(arm[1:]), 0.062 * broad, look.skin))
        parts.append(_Part(tuple(arm[:2]), 0.075 * broad, look.shirt))
    parts.append(_Part((head, (head[0], head[1] - 0.025)), 0.15, look.hair))
    parts.append(_Part((head, (head[0], head[1] + 0.01)), 0.125, look.skin))
    return [_Part(tuple((x, y - ground) for x, y in part.points), part.width, part.colour) for part in parts]


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
