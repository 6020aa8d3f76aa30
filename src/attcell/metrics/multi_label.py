"""Figures of videos that have any number of classes: average precision, and whether one of the best is true.

A row of NaN stands for a video that could not be read: it counts, and it is last or wrong, in every figure.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics import average_precision_score


def average_precisions(
    scores: Float[np.ndarray, "N A"], truth: Bool[np.ndarray, "N A"]
) -> Float[np.ndarray, " A"]:
    """The average precision of each class, from 0 to 1; NaN for a class without a positive.

    The videos are ranked by their score for the class; at every rank that brings positives, the precision
    there counts by the share of the positives that it brings. It is not interpolated, and videos that score
    the same come at one rank together. Videos that could not be read rank behind all others, together. Of a
    class that all videos have it is 1.

    Args:
        scores: one for each video and class; a row with NaN is a video that could not be read.
        truth: which classes each video has.
    """
    read = ~np.isnan(scores).any(axis=1)
    found = np.full(scores.shape[1], np.nan)
    for place in np.flatnonzero(truth.any(axis=0)):
        ranks = np.zeros(len(scores), dtype=int)  # 0 for the unread, who come last
        ranks[read] = 1 + np.unique(scores[read, place], return_inverse=True)[1]
        found[place] = average_precision_score(truth[:, place], ranks)
    return found


def mean_average_precision(
    scores: Float[np.ndarray, "N A"], truth: Bool[np.ndarray, "N A"]
) -> tuple[float, int]:
    """The mean of :func:`average_precisions` over the classes that have a positive, and how many these are.

    Without any such class the mean is NaN, of 0 classes.
    """
    found = average_precisions(scores, truth)
    there = found[~np.isnan(found)]
    return (float(there.mean()) if len(there) else float("nan")), len(there)


def hit_rate(scores: Float[np.ndarray, "N A"], truth: Bool[np.ndarray, "N A"], k: int) -> float:
    """The share of videos of which any true class is among the k best; a video without a class has no hit.

    Of classes that score the same, the first comes first, as in :mod:`attcell.metrics.recognition`. With
    one class a video it is the same as the top-k accuracy.
    """
    read = ~np.isnan(scores).any(axis=1)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float(np.mean(np.take_along_axis(truth, best, axis=1).any(axis=1) & read))
