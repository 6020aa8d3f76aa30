"""Accuracy figures of recognition, from scores and true classes.

A row of NaN stands for a video that could not be read: it counts, and it is wrong, in every figure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int


def truth_matrix(labels: Sequence[Sequence[int]], num_classes: int) -> Bool[np.ndarray, "N A"]:
    """Which classes each video has: a row of (N, A) for each one's class numbers."""
    truth = np.zeros((len(labels), num_classes), dtype=bool)
    for row, own in zip(truth, labels, strict=True):
        row[list(own)] = True
    return truth


def top_k_accuracy(scores: Float[np.ndarray, "N A"], labels: Int[np.ndarray, " N"], k: int) -> float:
    """The share of videos whose true class is among the k best.

    Of classes that score the same, the first comes first, as in the confusion matrix.
    """
    true = np.take_along_axis(scores, labels[:, None], axis=1)
    first = np.arange(scores.shape[1]) < labels[:, None]
    rank = 1 + ((scores > true) | ((scores == true) & first)).sum(axis=1)
    return float(np.mean((rank <= k) & ~np.isnan(true[:, 0])))


def confusion_matrix(
    scores: Float[np.ndarray, "N A"], labels: Int[np.ndarray, " N"]
) -> Int[np.ndarray, "A A"]:
    """Counts of videos by true class (row) and best class (column); unreadable videos are in no column."""
    num_classes = scores.shape[1]
    readable = ~np.isnan(scores).any(axis=1)
    matrix = np.zeros((num_classes, num_classes), dtype=int)
    np.add.at(matrix, (labels[readable], scores[readable].argmax(axis=1)), 1)
    return matrix


def mean_class_accuracy(scores: Float[np.ndarray, "N A"], labels: Int[np.ndarray, " N"]) -> float:
    """Top-1 accuracy of each class that has videos, averaged over these classes."""
    present = np.unique(labels)
    return float(
        np.mean([top_k_accuracy(scores[labels == label], labels[labels == label], 1) for label in present])
    )
