"""Accuracy class by class, and the gain of one model over another (the TAN paper's Fig. 4)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from attcell.metrics.recognition import top_k_accuracy


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
