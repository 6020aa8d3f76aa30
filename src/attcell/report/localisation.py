"""Fig. 6 of STAN: is the attention where the action is? Maps averaged over the streams, beside true boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from attcell.errors import CallError
from attcell.metrics.maps import mean_maps
from attcell.records import Prediction
from attcell.report.grid import PictureRow, draw_grid, segments_to_show
from attcell.report.overlay import overlay, peak_weight


def localisation_strip(
    prediction: Prediction, path: Path, boxes: np.ndarray | None = None, max_segments: int = 10
) -> None:
    """Write a PNG with one column a segment: its frame, the mean of the streams' attention, and β as a bar.

    Args:
        prediction: what to show.
        path: the PNG; written whole or not at all.
        boxes: (T, M, 4) the true boxes of M actors in each segment's frame: left, top, right, bottom as
            fractions of the frame, NaN where there is none. They are drawn on the frames.
        max_segments: at most so many columns; of more segments an even choice is shown.

    Raises:
        CallError: the prediction holds no spatial attention, its parts or the boxes do not fit together, or
            ``max_segments`` is below 1.
        ModelError: the prediction holds values that are not finite numbers.
    """
    shown = segments_to_show(prediction, max_segments)
    if not prediction.spatial_attention:
        raise CallError(f"{prediction.video}: the prediction holds no spatial attention; nothing to average")
    num_segments = len(prediction.frames)
    if boxes is not None and (boxes.ndim != 3 or (len(boxes), boxes.shape[2]) != (num_segments, 4)):
        raise CallError(
            f"boxes have shape {boxes.shape}; {num_segments} segments ask for ({num_segments}, M, 4)"
        )
    maps = mean_maps(list(prediction.spatial_attention.values()))
    peak, area = peak_weight(maps), prediction.attended_area
    seen = [overlay(prediction.frames[t], maps[t], area, peak, 0.75) for t in shown]
    names = list(prediction.spatial_attention)
    draw_grid(
        prediction,
        shown,
        [
            PictureRow(
                "video",
                "one frame a segment" if boxes is None else "with the true boxes",
                [prediction.frames[t] for t in shown],
                None if boxes is None else boxes[shown],
            ),
            PictureRow("mean attention" if len(names) > 1 else "attention", "\n".join(names), seen),
        ],
        path,
    )
