"""Pairs of pictures whose flow is known exactly: a sum of waves, seen before and after an affine motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch


@dataclass(frozen=True)
class KnownPair:
    previous: torch.Tensor  # (H, W), 0..255
    following: torch.Tensor
    flow: np.ndarray  # (2, H, W)
    is_inside: np.ndarray  # (H, W): pixels whose target lies in the picture

    def error(self, flow: torch.Tensor) -> float:
        """Mean end-point error in pixels, where the target lies in the picture."""
        return float(np.hypot(*(flow.numpy() - self.flow))[self.is_inside].mean())


def known_pair(height=48, width=64, *, shift=(0.0, 0.0), turn=0.0, zoom=1.0, seed=0) -> KnownPair:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(float)
    centred = np.stack([x - (width - 1) / 2, y - (height - 1) / 2])
    matrix = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = np.einsum("ij,jhw->ihw", matrix, centred) + np.reshape(shift, (2, 1, 1))
    came_from = np.einsum("ij,jhw->ihw", np.linalg.inv(matrix), centred - np.reshape(shift, (2, 1, 1)))
    waves = [(*rng.normal(0, 0.25, 2), rng.uniform(0, 2 * np.pi)) for _ in range(40)]
    previous, following = (
        128 + 14 * sum(np.sin(a * at[0] + b * at[1] + phase) for a, b, phase in waves)
        for at in (centred, came_from)
    )
    inside = (np.abs(moved[0]) <= (width - 1) / 2) & (np.abs(moved[1]) <= (height - 1) / 2)
    return KnownPair(*map(torch.from_numpy, (previous, following)), moved - centred, inside)


@pytest.fixture
def make_pair():
    return known_pair
