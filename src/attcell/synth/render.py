"""Drawing a planned video: frames, and the actor's box in each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from attcell.synth.figures import (
    Displacement,
    Posture,
    acting,
    displacement,
    draw_figure,
    ready,
    standing,
    walking,
)
from attcell.synth.scene import FPS, MARGIN, MOTIONS, SIZE, FigurePlan, ThingPlan, VideoPlan

_SCALE = 4  # everything is drawn this much larger and then reduced, which smooths the edges
WALK_SPEED = 45.0  # pixels a second
_STEPS_PER_SECOND = 1.6
_NOISE = 3.0  # standard deviation, in grey levels

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class RenderedVideo:
    """N frames, (N, H, W, 3) uint8; for each, the actor's box in pixels (or None) and whether it acts."""

    frames: np.ndarray
    boxes: tuple[Box | None, ...]
    action: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Setting:
    """Where N frames are taken, and how.

    Attributes:
        background: of :func:`wall_and_floor`.
        camera: (N, 2), how far it is from its place, in pixels; less than ``MARGIN``.
        light: (N,) or (N, 3), factors of all colours or of red, green and blue.
        noise: its standard deviation, in grey levels.
    """

    background: Image.Image
    camera: np.ndarray
    light: np.ndarray
    noise: float = _NOISE


def render(plan: VideoPlan) -> RenderedVideo:
    """Draw the whole video. The same plan gives the same bytes."""
    rng = np.random.default_rng(plan.pixel_seed)
    background = wall_and_floor(rng)
    camera = walk(plan.num_frames, reach=3.0, rng=rng)
    return render_in(Setting(background, camera, brightness(plan.num_frames, rng)), plan, rng)


def render_in(setting: Setting, plan: VideoPlan, rng: np.random.Generator) -> RenderedVideo:
    """Draw the whole video in a setting; the noise comes from ``rng``."""
    frames = np.empty((plan.num_frames, SIZE, SIZE, 3), dtype=np.uint8)
    boxes, action = [], []
    for index in range(plan.num_frames):
        picture, box = _draw_frame(plan, index / FPS, setting.background, setting.camera[index])
        noise = rng.normal(0.0, setting.noise, size=(SIZE, SIZE, 1)).astype(np.float32)
        frames[index] = np.clip(picture * setting.light[index] + noise + 0.5, 0, 255).astype(np.uint8)
        boxes.append(box)
        action.append(acts(plan.actor, index / FPS))
    return RenderedVideo(frames, tuple(boxes), tuple(action))


def _draw_frame(
    plan: VideoPlan, seconds: float, background: Image.Image, camera: np.ndarray
) -> tuple[np.ndarray, Box | None]:
    left, top = (round(float((MARGIN + c) * _SCALE)) for c in camera)
    canvas = background.crop((left, top, left + SIZE * _SCALE, top + SIZE * _SCALE))
    shift = (MARGIN - left / _SCALE, MARGIN - top / _SCALE)  # of the world, in pixels of the frame
    for thing in plan.things:
        _draw_thing(canvas, thing, seconds, shift)
    box = None
    for figure in plan.figures:
        posture, away = stance(figure, seconds)
        x, y = (c + figure.height * d for c, d in zip(figure.feet, (away.right, away.down), strict=True))
        drawn = draw_figure(
            canvas,
            posture,
            figure.look,
            feet=(x + shift[0], y + shift[1]),
            height=figure.height * (1.0 + away.growth),
            near_side=figure.manner.near_side,
            scale=_SCALE,
        )
        if figure.role == "actor" and drawn is not None:  # each time that he comes is a figure's own
            box = drawn
    return np.asarray(canvas.reduce(_SCALE), dtype=np.float32), box


def _interval_at(figure: FigurePlan, seconds: float) -> float | None:
    """The start of the figure's interval that holds this time, or None."""
    middle = seconds + 0.5 / FPS
    return next((start for start, end in figure.intervals if start <= middle < end), None)


def acts(figure: FigurePlan, seconds: float) -> bool:
    """Whether the figure does at this time what its motion is."""
    return figure.motion is not None and _interval_at(figure, seconds) is not None


def stance(figure: FigurePlan, seconds: float, reach: float = 1.0) -> tuple[Posture, Displacement]:
    """The posture at this time, and how far the figure is from its place: on a path ``reach`` times as far
    as planned.
    """
    start = _interval_at(figure, seconds)
    if figure.motion is not None and start is not None:
        cycles, amplitude = (seconds - start) / figure.manner.period, figure.manner.amplitude
        if figure.motion in MOTIONS["paths"]:
            return ready(cycles, amplitude), displacement(figure.motion, cycles, reach * amplitude)
        return acting(figure.motion, cycles, amplitude), Displacement()
    way = way_out(figure.feet[0], figure.side)
    missing = way - WALK_SPEED * (seconds - figure.enter)  # still to go until it has arrived
    gone = WALK_SPEED * (seconds - figure.leave)
    out = min(max(missing, gone, 0.0), way)
    if out > 0.0:
        posture = walking(_STEPS_PER_SECOND * seconds + figure.manner.phase)
        return posture, Displacement(right=figure.side * out / figure.height)
    return standing(seconds + 6.0 * figure.manner.phase), Displacement()


def way_out(place: float, side: int) -> float:
    """How far, in pixels, a figure walks from ``place`` until nothing of it is left in the frame, to the edge
    at ``side`` (-1 left, 1 right)."""
    return abs(SIZE / 2 + side * (SIZE / 2 + 30) - place)


def thing_place(thing: ThingPlan, seconds: float) -> tuple[float, float]:
    """Where a thing is at this time; what leaves on one side comes in on the other."""
    x, y = (
        (c + v * seconds + thing.radius) % (SIZE + 2 * thing.radius) - thing.radius
        for c, v in zip(thing.centre, thing.velocity, strict=True)
    )
    return x, y


def _draw_thing(canvas: Image.Image, thing: ThingPlan, seconds: float, shift: tuple[float, float]) -> None:
    x, y = (c + s for c, s in zip(thing_place(thing, seconds), shift, strict=True))
    wide, high = {"crate": (1.0, 0.85), "ball": (0.9, 0.9), "post": (0.35, 1.5)}[thing.shape]
    r = thing.radius
    edges = [_SCALE * e for e in (x - wide * r, y - high * r, x + wide * r, y + high * r)]
    dark = tuple(c // 3 for c in thing.colour)
    draw = ImageDraw.Draw(canvas)
    if thing.shape == "ball":
        draw.ellipse(edges, fill=thing.colour, outline=dark, width=_SCALE)
        return
    draw.rectangle(edges, fill=thing.colour, outline=dark, width=_SCALE)
    if thing.shape == "crate":
        draw.line([edges[0], edges[1], edges[2], edges[3]], fill=dark, width=_SCALE)
        draw.line([edges[0], edges[3], edges[2], edges[1]], fill=dark, width=_SCALE)


def wall_and_floor(rng: np.random.Generator) -> Image.Image:
    """A wall over a floor with soft texture in dull colours, larger than the frame on all sides."""
    side = SIZE + 2 * MARGIN
    wall, floor = (rng.uniform(95, 185) + rng.uniform(-14, 14, 3) for _ in range(2))
    picture = np.empty((side, side, 3), dtype=np.float32)
    horizon = MARGIN + int(rng.uniform(0.35, 0.6) * SIZE)
    picture[:horizon], picture[horizon:] = wall, floor
    for cells, strength in ((4, 14.0), (12, 9.0), (36, 7.0)):
        patches = Image.fromarray(rng.normal(0.0, strength, (cells, cells)).astype(np.float32))
        picture += np.asarray(patches.resize((side, side), Image.Resampling.BICUBIC))[:, :, None]
    whole = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return whole.resize((side * _SCALE, side * _SCALE), Image.Resampling.BICUBIC)


def walk(num_frames: int, reach: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random way (num_frames, 2) that stays within ``reach`` pixels."""
    steps = rng.normal(0.0, 1.0, (num_frames + 24, 2))
    kernel = np.hanning(25) / np.hanning(25).sum()
    smooth = np.stack([np.convolve(steps[:, axis], kernel, mode="valid") for axis in range(2)], axis=1)
    path = np.cumsum(smooth, axis=0)
    path -= path.mean(axis=0)
    return path * min(1.0, reach / float(np.abs(path).max()))


def brightness(num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """(num_frames,) factors: the video's own, a slow swell, and one sudden step."""
    seconds = np.arange(num_frames) / FPS
    swell = rng.uniform(0.02, 0.07) * np.sin(
        2 * np.pi * rng.uniform(0.1, 0.4) * seconds + rng.uniform(0, 6.28)
    )
    step = rng.uniform(-0.08, 0.08) * (seconds > rng.uniform(0, seconds[-1]))
    return (rng.uniform(0.88, 1.1) * (1.0 + swell + step)).astype(np.float32)
