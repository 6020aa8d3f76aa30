"""Late fusion: how much each stream's scores should count."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Float, Int

STEPS = 20  # the weights are multiples of a twentieth


def fusion_weights(
    scores: Float[np.ndarray, "M N A"],
    labels: Int[np.ndarray, " N"],
    watched: Callable[[list[np.ndarray]], Iterable[np.ndarray]] = iter,
) -> Float[np.ndarray, " M"]:
    """The weights, none negative and 1 in all, with which the summed scores do best on these videos.

    Accuracy decides, then the log-loss, then how even the weights are.

    Args:
        scores: probabilities by stream and video.
        labels: the true classes. They must be held-out training videos, never test videos.
        watched: passes the weights that are tried on, for a progress bar.
    """
    rows = np.arange(len(labels))

    def worth(weights: np.ndarray) -> tuple[float, float, float]:
        fused = np.tensordot(weights, scores, axes=1)
        accuracy = float(np.mean(fused.argmax(axis=1) == labels))
        loss = float(-np.log(np.maximum(fused[rows, labels], 1e-12)).mean())
        return accuracy, -round(loss, 6), -float(np.square(weights).sum())

    return max(watched(_simplex(len(scores))), key=worth)


def _simplex(num_streams: int) -> list[np.ndarray]:
    """All weights that are multiples of 1/STEPS and sum to 1: STEPS stars, and bars between the streams."""
    length = STEPS + num_streams - 1
    bars = itertools.combinations(range(length), num_streams - 1)
    return [(np.diff([-1, *between, length]) - 1) / STEPS for between in bars]
