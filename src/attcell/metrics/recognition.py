"""Metrics of recognition, from scores and true classes: accuracy, average precision, and weights to fuse by.

A row of NaN stands for a video that could not be read: it counts, and it is wrong or ranks last, in every
metric.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

FUSION_STEPS = 20  # weights are multiples of a twentieth


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
    from sklearn.metrics import average_precision_score

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


def class_accuracies(
    scores: Float[np.ndarray, "N A"], labels: Int[np.ndarray, " N"]
) -> Float[np.ndarray, " A"]:
    """Top-1 accuracy in percent of each class; NaN for a class without videos. Unread videos are wrong."""
    found = np.full(scores.shape[1], np.nan)
    for label in np.unique(labels):
        own = labels == label
        found[label] = 100 * top_k_accuracy(scores[own], labels[own], 1)
    return found


def by_gain(gains: Float[np.ndarray, " A"]) -> list[int]:
    """The classes in falling order of a figure; of equals the first first, those without a figure last."""
    return sorted(range(len(gains)), key=lambda place: (np.isnan(gains[place]), -gains[place], place))


def recognition_metrics(
    scores: Float[np.ndarray, "N A"], truth: Bool[np.ndarray, "N A"], *, multi_label: bool
) -> dict[str, float]:
    """Name → figure, from 0 to 1; the one that counts most first.

    ``mAP`` where a video may have several classes or none, and some class has a video; ``top1`` and ``top5``,
    where each video has a class: any of them is among the best; ``mean_class_accuracy`` where each video has
    just one. There is no ``top5`` for five classes or fewer: it would say nothing.

    Args:
        scores: a row of NaN is a video that could not be read: it ranks last, and is wrong.
        truth: which classes each video has.
        multi_label: a video may have several classes, or none.
    """
    figures = {}
    if multi_label and truth.any():
        figures["mAP"] = mean_average_precision(scores, truth)[0]
    if truth.any(axis=1).all():
        ranks = (1, 5) if scores.shape[1] > 5 else (1,)
        figures |= {f"top{k}": hit_rate(scores, truth, k) for k in ranks}
    if not multi_label:
        figures["mean_class_accuracy"] = mean_class_accuracy(scores, truth.argmax(axis=1))
    return figures


def fusion_weights(
    scores: Float[np.ndarray, "M N A"],
    truth: Bool[np.ndarray, "N A"],
    watched: Callable[[list[np.ndarray]], Iterable[np.ndarray]] = iter,
) -> Float[np.ndarray, " M"]:
    """The weights, none negative and 1 in all, with which the summed scores do best on these videos.

    Accuracy decides, or mean average precision where videos have several classes or none; then the log-loss
    of their classes, then how even the weights are.

    Args:
        scores: probabilities by stream and video.
        truth: which classes each video has. They must be held-out training videos, never test videos.
        watched: passes the weights that are tried on, for a progress bar.
    """
    own = truth / np.maximum(1, truth.sum(axis=1, keepdims=True))
    figure = _accuracy if (truth.sum(axis=1) == 1).all() else _precision

    def worth(weights: np.ndarray) -> tuple[float, float, float]:
        fused = np.tensordot(weights, scores, axes=1)
        loss = float(-(np.log(np.maximum(fused, 1e-12)) * own).sum(axis=1).mean())
        return figure(fused, truth), -round(loss, 6), -float(np.square(weights).sum())

    return max(watched(_simplex(len(scores))), key=worth)


def _accuracy(scores: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean(truth[np.arange(len(truth)), scores.argmax(axis=1)]))


def _precision(scores: np.ndarray, truth: np.ndarray) -> float:
    return mean_average_precision(scores, truth)[0]


def _simplex(num_streams: int) -> list[np.ndarray]:
    """All weights in steps of 1/FUSION_STEPS that sum to 1: so many stars, and bars between the streams."""
    length = FUSION_STEPS + num_streams - 1
    bars = itertools.combinations(range(length), num_streams - 1)
    return [(np.diff([-1, *between, length]) - 1) / FUSION_STEPS for between in bars]
