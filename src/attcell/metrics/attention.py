"""Does attention lie where and when the action is?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from sklearn.metrics import roc_auc_score


def peak_in_box(
    attention: Float[np.ndarray, "K K"],
    box: Float[np.ndarray, "4"],
    area: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
) -> bool:
    """The pointing game: does the centre of the strongest region lie in the box?

    Args:
        attention: one map; of equal peaks the first counts.
        box: left, top, right, bottom as fractions of the frame.
        area: the part of the frame that the map covers, in the same way.
    """
    row, column = np.unravel_index(attention.argmax(), attention.shape)
    x = area[0] + (column + 0.5) / attention.shape[1] * (area[2] - area[0])
    y = area[1] + (row + 0.5) / attention.shape[0] * (area[3] - area[1])
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def pointing_chance(
    num_regions: int,
    box: Float[np.ndarray, "4"],
    area: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
) -> float:
    """The share of the K×K regions whose centre lies in the box: what a random peak would hit."""
    maps = np.eye(num_regions**2).reshape(-1, num_regions, num_regions)
    return float(np.mean([peak_in_box(one, box, area) for one in maps]))


def temporal_auc(scores: Float[np.ndarray, " T"], is_action: Int[np.ndarray, " T"]) -> float:
    """How well the scores rank a video's action segments over the rest: area under the ROC curve.

    Returns:
        0.5 for chance, 1 for a perfect ranking; NaN for a video that is all action or none.
    """
    if len(np.unique(is_action)) < 2:
        return float("nan")
    return float(roc_auc_score(is_action, scores))
