"""The smooth look: the same planned videos, drawn twice as large, with soft scenes and rounded figures.

What happens, where and when, is the plan's, as in the plain look, but that paths reach further. A figure is
drawn much larger on a cut-out of the frame, which is then reduced: where nothing is drawn, the frame stays as
it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from attcell.synth.figures import Colour, Displacement, Look, Point, Posture, Skeleton, skeleton
from attcell.synth.render import Box, RenderedVideo, acts, brightness, stance, thing_place, walk
from attcell.synth.scene import FPS, MARGIN, SIZE, FigurePlan, ThingPlan, VideoPlan

ZOOM = 2  # pixels of a frame to one of the plan
SIDE = ZOOM * SIZE
REACH = 1.4  # how much further than planned a figure goes on its path
_SCALE = 3  # cut-outs are drawn this much larger
_WORLD = SIDE + 2 * ZOOM * MARGIN  # the background's side
_NOISE, _GREY = 1.2, 128  # noise's standard deviation in grey levels, and the level that stands for none
_HEAD = 0.115  # radius, in body heights


def render_smooth(plan: VideoPlan) -> RenderedVideo:
    """Draw the whole video, frames of 224×224. The same plan gives the same bytes."""
    rng = np.random.default_rng(plan.pixel_seed)
    scene = _Scene(rng)
    camera = ZOOM * walk(plan.num_frames, reach=3.0, rng=rng)
    gain = brightness(plan.num_frames, rng)
    grains = np.clip(rng.normal(_GREY, _NOISE, (SIDE + 64, SIDE + 64)).round(), 0, 255).astype(np.uint8)
    noise = Image.fromarray(np.repeat(grains[:, :, None], 3, axis=2))
    starts = rng.integers(0, 64, (plan.num_frames, 2)).tolist()
    levels = np.arange(256, dtype=np.float32)
    frames = np.empty((plan.num_frames, SIDE, SIDE, 3), dtype=np.uint8)
    boxes: list[Box | None] = []
    for index, (left, top) in enumerate(starts):
        picture, box = _draw_frame(plan, index / FPS, scene, camera[index])
        lit = picture.point((levels * gain[index] + 0.5).clip(0, 255).astype(np.uint8).tolist() * 3)
        grain = noise.crop((left, top, left + SIDE, top + SIDE))
        frames[index] = np.asarray(ImageChops.add(lit, grain, offset=-_GREY))
        boxes.append(box)
    action = tuple(acts(plan.actor, index / FPS) for index in range(plan.num_frames))
    return RenderedVideo(frames, tuple(boxes), action)


def _draw_frame(
    plan: VideoPlan, seconds: float, scene: _Scene, camera: np.ndarray
) -> tuple[Image.Image, Box | None]:
    picture, shift = scene.seen(camera)
    for thing in plan.things:
        _draw_thing(picture, thing, seconds, shift)
    standing = [(figure, *stance(figure, seconds, REACH)) for figure in plan.figures]
    for figure, _, away in standing:
        _draw_shadow(picture, figure, away, shift)
    box = None
    for figure, posture, away in standing:
        drawn = _draw_figure(picture, figure, posture, away, shift)
        if figure.role == "actor" and drawn is not None:  # each time that he comes is a figure's own
            box = drawn
    return picture, box


# Cut-outs


def _draw_larger(
    picture: Image.Image, edges: Box, draw: Callable[[ImageDraw.ImageDraw, Point], None]
) -> None:
    """Draw within ``edges``, in pixels of the frame, smoothly: ``draw`` gets what it draws on and where the
    frame's origin is there, all of it larger by ``_SCALE``.
    """
    left, top = max(0, int(np.floor(edges[0])) - 1), max(0, int(np.floor(edges[1])) - 1)
    right, bottom = min(SIDE, int(np.ceil(edges[2])) + 1), min(SIDE, int(np.ceil(edges[3])) + 1)
    if right <= left or bottom <= top:
        return
    part = picture.crop((left, top, right, bottom))
    larger = part.resize((part.width * _SCALE, part.height * _SCALE), Image.Resampling.NEAREST)
    draw(ImageDraw.Draw(larger), (-left * _SCALE, -top * _SCALE))
    picture.paste(larger.reduce(_SCALE), (left, top))


def _capsule(
    draw: ImageDraw.ImageDraw, ends: tuple[Point, Point], widths: tuple[float, float], colour: Colour
) -> None:
    """A limb that may be broader at one of its ends, of which the second is round."""
    (x1, y1), (x2, y2) = ends
    first, second = widths[0] / 2, widths[1] / 2
    length = math.hypot(x2 - x1, y2 - y1)
    if length > 0.5:
        x, y = (x2 - x1) / length, (y2 - y1) / length
        draw.polygon(
            (
                *(x1 - y * first, y1 + x * first, x1 + y * first, y1 - x * first),
                *(x2 + y * second, y2 - x * second, x2 - y * second, y2 + x * second),
            ),
            fill=colour,
        )
    draw.ellipse((x2 - second, y2 - second, x2 + second, y2 + second), fill=colour)


# Figures


@dataclass(frozen=True)
class _Limb:
    """A part of the body, in body heights: where it goes, how broad it is, and its colour."""

    start: Point
    end: Point
    widths: tuple[float, float]
    colour: Colour
    is_lit: bool = False  # it has a lighter side


def _limbs(body: Skeleton, look: Look) -> list[_Limb]:
    """The body from back to front, without the face."""
    broad, shoe = look.build, _mixed(look.trousers, (24, 24, 30), 0.65)
    limbs = []
    for hip, knee, foot in (body.far_leg, body.near_leg):
        toe = (foot[0] + (0.035 if foot[0] >= knee[0] - 0.02 else -0.035), foot[1])
        limbs += [
            _Limb(knee, hip, (0.095 * broad, 0.115 * broad), look.trousers, is_lit=True),
            _Limb(foot, knee, (0.07 * broad, 0.095 * broad), look.trousers, is_lit=True),
            _Limb(foot, toe, (0.075 * broad, 0.06 * broad), shoe),
        ]
    waist, chest = (body.hip[0], body.hip[1] - 0.02), (body.neck[0], body.neck[1] + 0.07)
    limbs.append(_Limb(waist, chest, (0.19 * broad, 0.235 * broad), look.shirt, is_lit=True))
    limbs.append(_Limb(body.head, body.neck, (0.075, 0.075), _mixed(look.skin, (0, 0, 0), 0.12)))
    for shoulder, elbow, hand in (body.far_arm, body.near_arm):
        limbs += [
            _Limb(elbow, hand, (0.062 * broad, 0.074 * broad), look.skin),
            _Limb(shoulder, elbow, (0.098 * broad, 0.08 * broad), look.shirt, is_lit=True),
        ]
    return limbs


def _draw_figure(
    picture: Image.Image, figure: FigurePlan, posture: Posture, away: Displacement, shift: Point
) -> Box | None:
    """Draw a figure on the frame; its box in the frame, or None where it is out of it."""
    size = ZOOM * figure.height * (1.0 + away.growth)
    feet = _feet(figure, away, shift)
    look, side = figure.look, figure.manner.near_side
    body = skeleton(posture, look.build, side)
    limbs = _limbs(body, look)
    edges = _edges(limbs, body, feet, size)
    left, top = max(edges[0], 0.0), max(edges[1], 0.0)
    right, bottom = min(edges[2], float(SIDE)), min(edges[3], float(SIDE))
    if right - left < 1.0 or bottom - top < 1.0:
        return None

    def draw(canvas: ImageDraw.ImageDraw, origin: Point) -> None:
        grown = size * _SCALE
        at = (feet[0] * _SCALE + origin[0], feet[1] * _SCALE + origin[1])
        _draw_body(canvas, limbs, body, look, at, grown)

    _draw_larger(picture, edges, draw)
    return left, top, right, bottom


def _draw_body(
    canvas: ImageDraw.ImageDraw, limbs: Sequence[_Limb], body: Skeleton, look: Look, at: Point, size: float
) -> None:
    def place(point: Point) -> Point:
        return at[0] + size * point[0], at[1] + size * point[1]

    line, dark = 1.6 * _SCALE, _mixed(look.trousers, (12, 12, 20), 0.7)
    head = place(body.head)
    for limb in limbs:
        widths = (size * limb.widths[0] + line, size * limb.widths[1] + line)
        _capsule(canvas, (place(limb.start), place(limb.end)), widths, dark)
    _disc(canvas, head, size * _HEAD + line / 2, dark)
    for limb in limbs:
        start, end = place(limb.start), place(limb.end)
        widths = (size * limb.widths[0], size * limb.widths[1])
        _capsule(canvas, (start, end), widths, _mixed(limb.colour, (0, 0, 0), 0.16 * limb.is_lit))
        if not limb.is_lit:
            continue
        lit = (widths[0] * 0.62, widths[1] * 0.62)  # the light comes from above on the left
        aside = -0.13 * min(widths)
        moved = ((start[0] + aside, start[1] + aside), (end[0] + aside, end[1] + aside))
        _capsule(canvas, moved, lit, limb.colour)
    _draw_head(canvas, head, size * _HEAD, look)


def _draw_head(canvas: ImageDraw.ImageDraw, head: Point, reach: float, look: Look) -> None:
    x, y = head
    _disc(canvas, head, reach, look.hair)
    _disc(canvas, (x, y + 0.2 * reach), 0.84 * reach, _mixed(look.skin, (0, 0, 0), 0.08))
    _disc(canvas, (x - 0.06 * reach, y + 0.15 * reach), 0.72 * reach, look.skin)
    for way in (-1, 1):
        _disc(canvas, (x + way * 0.32 * reach, y + 0.16 * reach), 0.12 * reach, (30, 26, 30))
    smile = (x - 0.3 * reach, y + 0.2 * reach, x + 0.3 * reach, y + 0.68 * reach)
    canvas.arc(smile, 25, 155, fill=(110, 50, 50), width=max(1, round(0.11 * reach)))


def _disc(canvas: ImageDraw.ImageDraw, centre: Point, reach: float, colour: Colour) -> None:
    x, y = centre
    canvas.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)


def _edges(limbs: Sequence[_Limb], body: Skeleton, feet: Point, size: float) -> Box:
    """The figure's tight box, in pixels of the frame, wherever it is."""
    rows = [(*body.head, _HEAD)]
    for limb in limbs:
        rows += [(*limb.start, limb.widths[0] / 2), (*limb.end, limb.widths[1] / 2)]
    xy, reach = np.array(rows)[:, :2], np.array(rows)[:, 2:]
    left, top = (xy - reach).min(axis=0) * size + feet - 0.8
    right, bottom = (xy + reach).max(axis=0) * size + feet + 0.8
    return float(left), float(top), float(right), float(bottom)


def _feet(figure: FigurePlan, away: Displacement, shift: Point) -> Point:
    x, y = (ZOOM * (c + figure.height * d) for c, d in zip(figure.feet, (away.right, away.down), strict=True))
    return x + shift[0], y + shift[1]


# Shadows, things and scenes


def _shadow_mask() -> Image.Image:
    x, y = np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 32))
    fall = np.clip(1.0 - (x**2 + y**2), 0.0, 1.0) ** 0.7
    return Image.fromarray((105 * fall).astype(np.uint8))


_SHADOW = _shadow_mask()


def _draw_shadow(picture: Image.Image, figure: FigurePlan, away: Displacement, shift: Point) -> None:
    """Under the feet; of a figure in the air it stays on the ground."""
    on_ground = away if away.growth else away._replace(down=0.0)
    x, y = _feet(figure, on_ground, shift)
    wide = ZOOM * figure.height * 0.62 * (1.0 + away.growth + min(0.0, 1.2 * (away.down - on_ground.down)))
    size = (max(2, round(wide)), max(2, round(0.26 * wide)))
    mask = _SHADOW.resize(size, Image.Resampling.BILINEAR)
    picture.paste((22, 22, 34), (round(x) - size[0] // 2, round(y) - size[1] // 2), mask)


def _draw_thing(picture: Image.Image, thing: ThingPlan, seconds: float, shift: Point) -> None:
    place = thing_place(thing, seconds)
    x, y = ZOOM * place[0] + shift[0], ZOOM * place[1] + shift[1]
    wide, high = {"crate": (1.0, 0.85), "ball": (0.9, 0.9), "post": (0.35, 1.5)}[thing.shape]
    across, up = ZOOM * thing.radius * wide, ZOOM * thing.radius * high
    edges = (x - across, y - up, x + across, y + up)
    dark, light = _mixed(thing.colour, (20, 20, 28), 0.6), _mixed(thing.colour, (255, 255, 255), 0.25)

    def draw(canvas: ImageDraw.ImageDraw, origin: Point) -> None:
        left, top, right, bottom = (edge * _SCALE + origin[number % 2] for number, edge in enumerate(edges))
        line = round(1.4 * _SCALE)
        if thing.shape == "ball":
            canvas.ellipse((left, top, right, bottom), fill=thing.colour, outline=dark, width=line)
            reach = 0.3 * (right - left)
            _disc(canvas, (left + 0.85 * reach + line, top + 0.85 * reach + line), 0.4 * reach, light)
            return
        corner = 0.16 * (right - left)
        canvas.rounded_rectangle(
            (left, top, right, bottom), corner, fill=thing.colour, outline=dark, width=line
        )
        if thing.shape == "crate":
            for share in (0.33, 0.67):
                level = top + share * (bottom - top)
                canvas.line((left + line, level, right - line, level), fill=dark, width=line // 2)
        else:
            canvas.line((left + 2 * line, top + 2 * line, left + 2 * line, bottom - 2 * line), fill=light)

    _draw_larger(picture, edges, draw)


class _Scene:
    """What stands still: a room or a park, larger than the frame, at each half of a pixel.

    Args:
        rng: decides all of it.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        side = 2 * _WORLD
        horizon = 2 * (ZOOM * MARGIN + int(rng.uniform(0.35, 0.55) * SIDE))
        picture = _park(side, horizon, rng) if rng.random() < 0.5 else _room(side, horizon, rng)
        self._phases = {
            (right, down): picture.crop((right, down, side - 2 + right, side - 2 + down)).reduce(2)
            for right in (0, 1)
            for down in (0, 1)
        }

    def seen(self, camera: np.ndarray) -> tuple[Image.Image, Point]:
        """What the camera sees, and where the plan's origin is in it."""
        left, top = (round(2 * float(ZOOM * MARGIN + c)) for c in camera)
        start = (left // 2, top // 2)
        picture = self._phases[left % 2, top % 2].crop((*start, start[0] + SIDE, start[1] + SIDE))
        return picture, (ZOOM * MARGIN - left / 2, ZOOM * MARGIN - top / 2)


def _room(side: int, horizon: int, rng: np.random.Generator) -> Image.Image:
    """A wall with a window and a picture or two, over boards."""
    wall, floor = _dull(rng, 150, 205), _dull(rng, 105, 160)
    picture = _shaded(
        side, horizon, (wall, _mixed(wall, (0, 0, 0), 0.12)), (floor, _mixed(floor, (255, 255, 255), 0.16))
    )
    draw = ImageDraw.Draw(picture)
    middle, edge = side / 2 + rng.uniform(-0.2, 0.2) * side, _mixed(floor, (0, 0, 0), 0.13)
    for number in range(-14, 15):
        foot = middle + number * side / 7
        draw.line((middle + (foot - middle) * 0.45, horizon, foot, side), fill=edge, width=3)
    for _ in range(int(rng.integers(1, 4))):
        high, wide = rng.uniform(0.10, 0.2, 2) * side
        left, top = rng.uniform(0.05, 0.85) * side, rng.uniform(0.25, 0.55) * horizon
        inside = _mixed(wall, (255, 255, 255) if rng.random() < 0.5 else (60, 70, 90), rng.uniform(0.15, 0.4))
        frame = _mixed(wall, (40, 34, 30), 0.4)
        draw.rectangle(
            (left, top, left + wide, min(top + high, horizon - 12)), fill=inside, outline=frame, width=7
        )
    skirting = _mixed(wall, (255, 255, 255), 0.35)
    draw.rectangle((0, horizon - 14, side, horizon), fill=skirting)
    return picture.filter(ImageFilter.GaussianBlur(1.2))


def _park(side: int, horizon: int, rng: np.random.Generator) -> Image.Image:
    """Sky, hills and trees over grass, all in pale colours."""
    sky, grass = _dull(rng, 175, 215, (-8, 0, 14)), _dull(rng, 120, 160, (-4, 10, -10))
    picture = _shaded(
        side, horizon, (sky, _mixed(sky, (255, 255, 255), 0.45)), (_mixed(grass, (0, 0, 0), 0.1), grass)
    )
    draw = ImageDraw.Draw(picture)
    x = np.linspace(0, side, 60)
    for depth in (0.55, 0.3):
        waves = np.sin(x / side * rng.uniform(5, 11) + rng.uniform(0, 6.28)) + np.sin(
            x / side * rng.uniform(11, 19) + rng.uniform(0, 6.28)
        )
        tops = horizon - side * (0.05 + 0.11 * depth) - 0.035 * side * waves
        colour = _mixed(_mixed(grass, (90, 110, 120), 0.35), sky, depth)
        draw.polygon(
            [*zip(x.tolist(), tops.tolist(), strict=True), (side, horizon), (0, horizon)], fill=colour
        )
    for _ in range(int(rng.integers(2, 5))):
        place, tall = rng.uniform(0, side), rng.uniform(0.10, 0.2) * side
        crown = _mixed(_mixed(grass, (70, 95, 80), rng.uniform(0.3, 0.6)), sky, 0.15)
        draw.rectangle(
            (place - 5, horizon - tall, place + 5, horizon + 6), fill=_mixed(crown, (70, 55, 45), 0.6)
        )
        for _ in range(5):
            reach = rng.uniform(0.2, 0.34) * tall
            centre = (
                place + rng.uniform(-0.25, 0.25) * tall,
                horizon - tall + rng.uniform(-0.2, 0.25) * tall,
            )
            _disc(draw, centre, reach, _mixed(crown, (255, 255, 255), rng.uniform(0.0, 0.12)))
    for _ in range(60):
        x0, y0 = rng.uniform(0, side), rng.uniform(horizon + 8, side)
        draw.line((x0, y0, x0 + 3, y0 - 9), fill=_mixed(grass, (0, 0, 0), 0.14), width=3)
    return picture.filter(ImageFilter.GaussianBlur(1.2))


def _shaded(
    side: int, horizon: int, above: tuple[Colour, Colour], below: tuple[Colour, Colour]
) -> Image.Image:
    """Two areas, each from its upper colour to its lower one."""
    rows = np.empty((side, 1, 3), dtype=np.float32)
    for (upper, lower), span in ((above, slice(0, horizon)), (below, slice(horizon, side))):
        share = np.linspace(0.0, 1.0, span.stop - span.start)[:, None, None]
        rows[span] = np.asarray(upper) * (1 - share) + np.asarray(lower) * share
    return Image.fromarray(np.repeat(rows, side, axis=1).round().astype(np.uint8))


def _dull(
    rng: np.random.Generator, least: float, most: float, tint: tuple[float, float, float] = (0, 0, 0)
) -> Colour:
    level = rng.uniform(least, most) + rng.uniform(-9, 9, 3) + np.asarray(tint)
    return int(level[0]), int(level[1]), int(level[2])


def _mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """The colour with a share of the other one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue
