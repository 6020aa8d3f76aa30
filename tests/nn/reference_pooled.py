"""The pooled rivals in plain NumPy and Python loops, for one video's maps (T, F, K, K)."""

from __future__ import annotations

import numpy as np


def average(maps: np.ndarray) -> np.ndarray:
    segments, channels, height, width = maps.shape
    found = np.zeros(channels)
    for t in range(segments):
        for i, j in np.ndindex(height, width):
            found += maps[t, :, i, j]
    return found / (segments * height * width)


def flat(maps: np.ndarray) -> np.ndarray:
    found = np.zeros(maps[0].size)
    for segment in maps:
        found += np.array([segment[place] for place in np.ndindex(segment.shape)])
    return found / len(maps)


def fully_connected(maps: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    found = np.zeros(len(weight))
    for segment in maps:
        flattened = np.array([segment[place] for place in np.ndindex(segment.shape)])
        found += np.array([max(0.0, float(row @ flattened + b)) for row, b in zip(weight, bias, strict=True)])
    return found / len(maps)


def one_by_one(maps: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """SqueezeNet's last convolution, weight (A, F, 1, 1), over every region."""
    segments, _, height, width = maps.shape
    found = np.zeros(len(weight))
    for t in range(segments):
        for i, j in np.ndindex(height, width):
            found += np.maximum(weight[:, :, 0, 0] @ maps[t, :, i, j] + bias, 0)
    return found / (segments * height * width)


def vlad(maps: np.ndarray, mean: np.ndarray, components: np.ndarray, centres: np.ndarray) -> np.ndarray:
    segments, _, height, width = maps.shape
    sums = np.zeros(centres.shape)
    for t in range(segments):
        for i, j in np.ndindex(height, width):
            local = components @ (maps[t, :, i, j] - mean)
            distances = [float(np.sum((local - centre) ** 2)) for centre in centres]
            nearest = distances.index(min(distances))
            sums[nearest] += local - centres[nearest]
    roots = np.array([np.sign(value) * abs(value) ** 0.5 for value in sums.reshape(-1)])
    length = float(np.sqrt(np.sum(roots**2)))
    return roots / length if length > 0 else roots
