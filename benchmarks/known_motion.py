"""Pairs of pictures whose flow is known exactly: a texture of waves before and after an affine motion."""

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
