"""Late fusion: how much each stream's scores should count."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Bool, Float

from attcell.metrics.recognition import mean_average_precision

STEPS = 20  # the weights are multiples of a twentieth


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
    """All weights that are multiples of 1/STEPS and sum to 1: STEPS stars, and bars between the streams."""
    length = STEPS + num_streams - 1
    bars = itertools.combinations(range(length), num_streams - 1)
    return [(np.diff([-1, *between, length]) - 1) / STEPS for between in bars]
