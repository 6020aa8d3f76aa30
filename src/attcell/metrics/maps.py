"""Attention maps of any number of regions: averaged, and brought to another size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image


def mean_maps(maps: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of the streams' maps, each (T, K, K) with a K of its own: (T, K, K) of the largest K."""
    side = max(one.shape[-1] for one in maps)
    alike = [np.stack([smoothed(map_, side, side) for map_ in one]) for one in maps]
    return np.mean([one / one.sum(axis=(1, 2), keepdims=True) for one in alike], axis=0)


def smoothed(values: np.ndarray, width: int, height: int) -> np.ndarray:
    """(K, K) values brought to (height, width) by bicubic interpolation; never below zero."""
    picture = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    bigger = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    return np.maximum(bigger, 0)
