"""Intervals in time: how much two overlap, and which of many to keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from attcell.records import Detection


def interval_iou(one: Float[np.ndarray, "N 2"], other: Float[np.ndarray, "M 2"]) -> Float[np.ndarray, "N M"]:
    """Intersection over union of each interval of ``one`` with each of ``other``; 0 where both are empty."""
    start = np.maximum(one[:, None, 0], other[None, :, 0])
    end = np.minimum(one[:, None, 1], other[None, :, 1])
    shared = np.maximum(end - start, 0)
    union = (one[:, 1] - one[:, 0])[:, None] + (other[:, 1] - other[:, 0])[None] - shared
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
        overlap = interval_iou(np.array([[best.start_seconds, best.end_seconds]]), times)[0]
        left = [
            of
            for of, share in zip(others, overlap, strict=True)
            if of.label != best.label or share <= threshold
        ]
    return kept
