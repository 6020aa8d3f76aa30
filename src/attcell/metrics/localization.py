"""Does attention lie where and when the action is? And maps averaged over streams, and resized."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

Area = tuple[float, float, float, float]
WHOLE: Area = (0.0, 0.0, 1.0, 1.0)


def peak_in_box(
    attention: Float[np.ndarray, "K K"], boxes: Float[np.ndarray, "*M 4"], area: Area = WHOLE
) -> bool:
    """The pointing game: does the centre of the strongest region lie in a box?

    Args:
        attention: one map; of equal peaks the first counts.
        boxes: one or more of left, top, right, bottom as fractions of the frame; NaN is no box.
        area: the part of the frame that the map covers, in the same way.
    """
    row, column = np.unravel_index(attention.argmax(), attention.shape)
    x = area[0] + (column + 0.5) / attention.shape[1] * (area[2] - area[0])
    y = area[1] + (row + 0.5) / attention.shape[0] * (area[3] - area[1])
    left, top, right, bottom = np.atleast_2d(boxes).T
    return bool(((left <= x) & (x <= right) & (top <= y) & (y <= bottom)).any())


def pointing_chance(num_regions: int, boxes: Float[np.ndarray, "*M 4"], area: Area = WHOLE) -> float:
    """The share of the K×K regions whose centre lies in a box: what a random peak would hit."""
    maps = np.eye(num_regions**2).reshape(-1, num_regions, num_regions)
    return float(np.mean([peak_in_box(one, boxes, area) for one in maps]))


def peak_on_tone(
    attention: Float[np.ndarray, "R K"],
    seconds: tuple[float, float],
    edges_hz: Float[np.ndarray, " E"],
    notes: Float[np.ndarray, "n 4"],
    reach: int = 0,
) -> bool:
    """The pointing game in time and frequency: does a tone go through the strongest region?

    Args:
        attention: one map; rows are time, columns are frequency; of equal peaks the first counts.
        seconds: from when to when the rows go, evenly.
        edges_hz: the K + 1 frequencies between which the columns lie, in rising order.
        notes: start and end of each in seconds, and the frequencies from which and to which it goes, evenly
            in octaves.
        reach: or through one that is at most so many regions away in time and in frequency. conv6 looks at
            a region and its neighbours, so that with 1 the tone is in what the strongest descriptor saw.
    """
    peak = np.unravel_index(attention.argmax(), attention.shape)
    return bool(tone_regions(attention.shape[0], seconds, edges_hz, notes, reach)[peak])


def tone_regions(
    num_rows: int,
    seconds: tuple[float, float],
    edges_hz: Float[np.ndarray, " E"],
    notes: Float[np.ndarray, "n 4"],
    reach: int = 0,
) -> Bool[np.ndarray, "R K"]:
    """The regions that a tone goes through; their share is what a random peak would hit. Arguments as of
    :func:`peak_on_tone`.
    """
    edges = np.linspace(*seconds, num_rows + 1)
    start, end, first, last = np.reshape(notes, (-1, 4)).T[..., None, None]
    begins, ends = np.maximum(edges[:-1, None], start), np.minimum(edges[1:, None], end)  # (n, R, 1)
    octaves = np.log2(last / first) / (end - start)
    between = np.sort(first * 2.0 ** (octaves * (np.stack([begins, ends]) - start)), axis=0)
    hit = ((begins < ends) & (between[0] <= edges_hz[1:]) & (edges_hz[:-1] <= between[1])).any(axis=0)
    padded = np.pad(hit, reach)
    around = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(around.any(axis=(2, 3)))


def mass_in_box(
    attention: Float[np.ndarray, "K K"], boxes: Float[np.ndarray, "*M 4"], area: Area = WHOLE
) -> float:
    """The share of the attention that lies in the boxes; of a region that a box cuts, the part inside.

    Args:
        attention: one map.
        boxes: one or more of left, top, right, bottom as fractions of the frame; where two overlap, attention
            counts once. NaN is no box.
        area: the part of the frame that the map covers.

    Returns:
        From 0 to 1. Even attention gives the share of the area that the boxes cover: chance.
    """
    boxes = np.atleast_2d(boxes)
    boxes = boxes[~np.isnan(boxes).any(axis=1)]
    sides = [np.linspace(area[axis], area[axis + 2], attention.shape[1 - axis] + 1) for axis in (0, 1)]
    # Cut the area along the edges of all regions and boxes: then each piece is inside a box or outside.
    cuts = [
        np.unique(
            np.clip(np.concatenate([sides[axis], boxes[:, axis], boxes[:, axis + 2]]), *sides[axis][[0, -1]])
        )
        for axis in (0, 1)
    ]
    x, y = ((edges[:-1] + edges[1:]) / 2 for edges in cuts)
    in_x = (boxes[:, :1] < x) & (x < boxes[:, 2:3])
    in_y = (boxes[:, 1:2] < y) & (y < boxes[:, 3:])
    inside = (in_y[:, :, None] & in_x[:, None, :]).any(axis=0)
    columns, rows = (np.searchsorted(sides[axis], middle) - 1 for axis, middle in ((0, x), (1, y)))
    pieces = np.diff(cuts[1])[:, None] * np.diff(cuts[0])[None] * inside
    region = np.diff(sides[1])[0] * np.diff(sides[0])[0]
    return float((attention[np.ix_(rows, columns)] * pieces).sum() / region / attention.sum())


def mass_chance(num_regions: int, boxes: Float[np.ndarray, "*M 4"], area: Area = WHOLE) -> float:
    """The share of the area that the boxes cover: the mass of even attention in them."""
    return mass_in_box(np.ones((num_regions, num_regions)), boxes, area)


def temporal_auc(scores: Float[np.ndarray, " T"], is_action: Int[np.ndarray, " T"]) -> float:
    """How well the scores rank a video's action segments over the rest: area under the ROC curve.

    Returns:
        0.5 for chance, 1 for a perfect ranking; NaN for a video that is all action or none.
    """
    if len(np.unique(is_action)) < 2:
        return float("nan")
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_action, scores))


def mean_maps(maps: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of the streams' maps, each (T, K, K) with a K of its own: (T, K, K) of the largest K."""
    side = max(one.shape[-1] for one in maps)
    alike = [np.stack([smoothed(map_, side, side) for map_ in one]) for one in maps]
    return np.mean([one / one.sum(axis=(1, 2), keepdims=True) for one in alike], axis=0)


def smoothed(values: np.ndarray, width: int, height: int) -> np.ndarray:
    """(R, K) values brought to (height, width) by bicubic interpolation; never below zero."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    bigger = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    return np.maximum(bigger, 0)
