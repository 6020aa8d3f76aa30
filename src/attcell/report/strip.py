"""Fig. 4 of STAN: segments, each stream's attention, and the temporal attention, in one picture."""

from __future__ import annotations

from pathlib import Path

from attcell.records import Prediction
from attcell.report.grid import PictureRow, draw_grid, segments_to_show
from attcell.report.layers import layers_of


def attention_strip(prediction: Prediction, path: Path, max_segments: int = 10) -> None:
    """Write a PNG with one column a segment: its frame, the attention of each stream, and β as a bar.

    A stream of flow is shown over the flow in colours, the others over the frame.

    Args:
        prediction: what to show.
        path: the PNG; written whole or not at all.
        max_segments: at most so many columns; of more segments an even choice is shown.

    Raises:
        CallError: ``max_segments`` is below 1, or the prediction's parts do not fit together.
        ModelError: the prediction holds values that are not finite numbers.
    """
    shown = segments_to_show(prediction, max_segments)
    frames = PictureRow("video", "one frame a segment", [prediction.frames[t] for t in shown])
    streams = [
        PictureRow(
            layer.name,
            "attention",
            [layer.attended(prediction, t) for t in shown],
            scale=layer.scale,
        )
        for layer in layers_of(prediction)
    ]
    draw_grid(prediction, shown, [frames, *streams], path)
