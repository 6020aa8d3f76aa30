"""The figures that a test prints, whether it had a model or a file of scores."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from attcell.metrics.multi_label import hit_rate, mean_average_precision
from attcell.metrics.recognition import mean_class_accuracy


def recognition_figures(
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
