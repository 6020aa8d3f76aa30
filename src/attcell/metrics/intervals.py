"""Intervals in time: how much two overlap, and which of many to keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from attcell.records import Detection


def interval_iou(
    one: Float[np.ndarray, "*#shape 2"], other: Float[np.ndarray, "*#shape 2"]
) -> Float[np.ndarray, "*shape"]:
    """Intersection over union of intervals, row by row; 0 where both are empty."""
    shared = np.minimum(one[..., 1], other[..., 1]) - np.maximum(one[..., 0], other[..., 0])
    shared = np.maximum(shared, 0)
    union = (one[..., 1] - one[..., 0]) + (other[..., 1] - other[..., 0]) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def nms(detections: Sequence[Detection], threshold: float) -> list[Detection]:
    """Greedy suppression in one video, class by class: the best stays, and takes away what overlaps it more.

    Args:
        detections: of one video.
        threshold: an IoU above this is too much.

    Returns:
        Those that stay, best first; of equal scores the earlier in the list is the better.
    """
    left = sorted(detections, key=lambda detection: -detection.score)
    kept: list[Detection] = []
    while left:
        best, *others = left
        kept.append(best)
        times = np.array([[of.start_seconds, of.end_seconds] for of in others]).reshape(-1, 2)
        overlap = interval_iou(np.array([[best.start_seconds, best.end_seconds]]), times)
        left = [
            of
            for of, share in zip(others, overlap, strict=True)
            if of.label != best.label or share <= threshold
        ]
    return kept
