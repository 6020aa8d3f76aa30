"""Pairs of pictures whose flow is known exactly: a texture of waves before and after an affine motion, and
scenes of textured discs that move over each other, fast, or with the shutter open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

KINDS = ("translation", "rotation", "zoom")
NOISE = 1.5  # grey levels, drawn for each picture


@dataclass(frozen=True)
class KnownPair:
    """Two grey pictures (H, W) uint8, the flow (2, H, W) between them, and whose target is in the picture."""

    previous: np.ndarray
    following: np.ndarray
    flow: np.ndarray
    is_inside: np.ndarray

    def error(self, flow: np.ndarray) -> float:
        """Mean end-point error of a flow (2, H, W) in pixels, where the target lies in the picture."""
        return float(np.hypot(*(flow - self.flow))[self.is_inside].mean())


def known_pair(kind: str, pixels: float, *, height: int = 240, width: int = 320, seed: int = 0) -> KnownPair:
    """A motion of so many pixels: everywhere (translation), or at the corners (rotation, zoom)."""
    rng = np.random.default_rng([seed, KINDS.index(kind), int(10 * pixels)])
    y, x = np.mgrid[:height, :width].astype(float)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    place = np.stack([x, y]) - middle.reshape(2, 1, 1)
    part = pixels / np.hypot(*middle)
    matrix, shift = np.eye(2), np.zeros((2, 1, 1))
    if kind == "translation":
        angle = rng.uniform(0, 2 * np.pi)
        shift = pixels * np.array([np.cos(angle), np.sin(angle)]).reshape(2, 1, 1)
    elif kind == "rotation":
        matrix = np.array([[np.cos(part), -np.sin(part)], [np.sin(part), np.cos(part)]])
    else:
        matrix *= 1 + part
    target = np.einsum("ij,jhw->ihw", matrix, place) + shift
    origin = np.einsum("ij,jhw->ihw", np.linalg.inv(matrix), place - shift)
    texture = _texture(rng)
    inside = np.all(np.abs(target) <= middle.reshape(2, 1, 1), axis=0)
    pictures = [
        np.round((texture(at) + rng.normal(0, NOISE, x.shape)).clip(0, 255)).astype(np.uint8)
        for at in (place, origin)
    ]
    return KnownPair(pictures[0], pictures[1], target - place, inside)


def _texture(rng: np.random.Generator, num_waves: int = 120) -> Callable[[np.ndarray], np.ndarray]:
    """A sum of waves 4 to 160 pixels long, the longer the stronger."""
    length = np.exp(rng.uniform(np.log(4), np.log(160), num_waves))
    angle, phase = rng.uniform(0, 2 * np.pi, (2, num_waves))
    strength = length**0.9 / np.sqrt((length**1.8).sum() / 2)
    kx, ky = 2 * np.pi / length * np.cos(angle), 2 * np.pi / length * np.sin(angle)

    def texture(place: np.ndarray) -> np.ndarray:
        picture = np.full(place.shape[1:], 128.0)
        for a, b, p, s in zip(kx, ky, phase, strength, strict=True):
            picture += 45 * s * np.sin(a * place[0] + b * place[1] + p)
        return picture

    return texture


@dataclass(frozen=True)
class Scene:
    """Discs over a ground: by how many pixels they move, and how long the shutter is open.

    ``exposure`` is the part of the time from one picture to the next in which light comes in.
    """

    ground: float
    discs: float
    exposure: float = 0.0


SCENES = {
    "occlusion": Scene(ground=2.0, discs=8.0),
    "large motion": Scene(ground=8.0, discs=30.0),
    "blur": Scene(ground=3.0, discs=12.0, exposure=0.7),
}
_RADII = (70.0, 50.0, 35.0)  # of the discs, the lowest first
_INSTANTS = 7  # of an exposure


def scene_pair(name: str, seed: int, *, height: int = 240, width: int = 320) -> KnownPair:
    """Discs cover the ground and each other; what a disc will cover counts, by its own motion."""
    scene = SCENES[name]
    rng = np.random.default_rng([seed, list(SCENES).index(name)])
    y, x = np.mgrid[:height, :width].astype(float)
    place = np.stack([x, y])
    layers = [_layer(rng, scene.ground, None, place)]
    for radius in _RADII:
        layers.append(_layer(rng, scene.discs, radius, place))
    spread = scene.exposure * np.linspace(-0.5, 0.5, _INSTANTS) if scene.exposure else np.zeros(1)
    pictures = []
    for time in (0.0, 1.0):
        seen = np.mean([_rendered(layers, place, time + part) for part in spread], axis=0)
        noisy = seen + rng.normal(0, NOISE, seen.shape)
        pictures.append(np.round(noisy.clip(0, 255)).astype(np.uint8))
    flow = np.zeros_like(place)
    for layer in layers:
        covers = layer.cover(place, 0.0) > 0.5
        flow[:, covers] = layer.shift.reshape(2, 1)
    target = place + flow
    inside = np.all((target >= 0) & (target <= np.array([width - 1, height - 1]).reshape(2, 1, 1)), axis=0)
    return KnownPair(pictures[0], pictures[1], flow, inside)


@dataclass(frozen=True)
class _Layer:
    """A textured disc, or the ground, that moves by ``shift`` in the time from 0 to 1."""

    texture: Callable[[np.ndarray], np.ndarray]
    shift: np.ndarray
    centre: np.ndarray
    radius: float | None

    def cover(self, place: np.ndarray, time: float) -> np.ndarray:
        """How much of each pixel it covers (H, W)."""
        if self.radius is None:
            return np.ones(place.shape[1:])
        centre = (self.centre + time * self.shift).reshape(2, 1, 1)
        return (self.radius - np.hypot(*(place - centre)) + 0.5).clip(0, 1)


def _layer(rng: np.random.Generator, pixels: float, radius: float | None, place: np.ndarray) -> _Layer:
    angle = rng.uniform(0, 2 * np.pi)
    shift = pixels * rng.uniform(0.7, 1.0) * np.array([np.cos(angle), np.sin(angle)])
    size = np.array(place.shape[:0:-1], float)
    centre = size * rng.uniform(0.25, 0.75, 2)
    return _Layer(_texture(rng, 60), shift, centre, radius)


def _rendered(layers: list[_Layer], place: np.ndarray, time: float) -> np.ndarray:
    picture = np.zeros(place.shape[1:])
    for layer in layers:
        cover = layer.cover(place, time)
        picture += cover * (layer.texture(place - time * layer.shift.reshape(2, 1, 1)) - picture)
    return picture
