"""Intervals in time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def interval_iou(
    one: Float[np.ndarray, "*#shape 2"], other: Float[np.ndarray, "*#shape 2"]
) -> Float[np.ndarray, "*shape"]:
    """Intersection over union of intervals, row by row; 0 where both are empty."""
    shared = np.minimum(one[..., 1], other[..., 1]) - np.maximum(one[..., 0], other[..., 0])
    shared = np.maximum(shared, 0)
    union = (one[..., 1] - one[..., 0]) + (other[..., 1] - other[..., 0]) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
