"""The figures of the papers, of any prediction: Fig. 4 and Fig. 6 of STAN, and TAN's gates, in a folder.

Fig. 4 shows the segments, each stream's attention and the temporal attention; Fig. 6 the attention averaged
over the streams, beside true boxes: is it where the action is?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, count
from pathlib import Path, PurePosixPath

import numpy as np

from attcell._paths import short_names
from attcell.data.truth import BoxedVideo
from attcell.errors import CallError
from attcell.inference.localization import action_boxes
from attcell.metrics.localization import mean_maps
from attcell.report.figures.gates import gates_picture
from attcell.report.figures.grid import PictureRow, draw_grid, segments_to_show
from attcell.report.overlay import Terms, layers_of, overlay, peak_weight
from attcell.report.sound import SoundLayer, hertz_words, sound_layers
from attcell.types import Prediction


def attention_strip(prediction: Prediction, path: Path, max_segments: int = 10) -> None:
    """Write a PNG with one column a segment: its frame, the attention of each stream, and β as a bar.

    A stream of flow is shown over the flow in colours, one that hears sound over the picture of the sound
    around the frame (time to the right, frequencies upwards), the others over the frame.

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
            Terms.of(prediction).where,
            [layer.attended(prediction, t) for t in shown],
            scale=layer.scale,
        )
        for layer in layers_of(prediction)
    ]
    sounds = [
        PictureRow(layer.name, _heard_detail(layer), [layer.attended(prediction, t) for t in shown])
        for layer in sound_layers(prediction)
    ]
    draw_grid(prediction, shown, [frames, *streams, *sounds], path)


def _heard_detail(layer: SoundLayer) -> str:
    low, high = (hertz_words(hertz) for hertz in layer.hearing.hertz)
    return f"{layer.hearing.window_seconds:.2f} s around it,\n{low} up to {high}"


def localization_strip(
    prediction: Prediction, path: Path, boxes: np.ndarray | None = None, max_segments: int = 10
) -> None:
    """Write a PNG with one column a segment: its frame, the mean of the attention of the streams that look at
    pictures, and β as a bar.

    Args:
        prediction: what to show.
        path: the PNG; written whole or not at all.
        boxes: (T, M, 4) the true boxes of M actors in each segment's frame: left, top, right, bottom as
            fractions of the frame, NaN where there is none. They are drawn on the frames.
        max_segments: at most so many columns; of more segments an even choice is shown.

    Raises:
        CallError: the prediction holds no spatial attention over frames, its parts or the boxes do not fit
            together, or ``max_segments`` is below 1.
        ModelError: the prediction holds values that are not finite numbers.
    """
    shown = segments_to_show(prediction, max_segments)
    over_frames = prediction.segments.over_frames
    if not over_frames:
        raise CallError(f"{prediction.video}: the prediction holds no spatial attention; nothing to average")
    num_segments = len(prediction.frames)
    if boxes is not None and (boxes.ndim != 3 or (len(boxes), boxes.shape[2]) != (num_segments, 4)):
        raise CallError(
            f"boxes have shape {boxes.shape}; {num_segments} segments ask for ({num_segments}, M, 4)"
        )
    maps = mean_maps(list(over_frames.values()))
    peak, area = peak_weight(maps), prediction.attended_area
    seen = [overlay(prediction.frames[t], maps[t], area, peak, 0.75) for t in shown]
    names = list(over_frames)
    where = Terms.of(prediction).where
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
            PictureRow(f"mean {where}" if len(names) > 1 else where, "\n".join(names), seen),
        ],
        path,
    )


def write_pictures(
    predictions: Sequence[Prediction], folder: Path, truth: Mapping[str, BoxedVideo] | None = None
) -> None:
    """Write ``NAME-attention.png`` and ``NAME-mean.png`` of each prediction; of a ready model, which has no
    attention cell, the first is ``NAME-evidence.png``.

    The first shows each stream's attention (:func:`attention_strip`), the second their mean, beside the
    action's true boxes where they are known (:func:`localization_strip`); it is left out where all streams
    hear sound. Of a TAN, which does not attend to
    regions, ``NAME-gates.png`` instead (:func:`gates_picture`).

    Args:
        predictions: what to show.
        folder: where; made if it is not there.
        truth: where the actions are, by the predictions' ``video``.

    Raises:
        CallError: a prediction holds neither attention over regions nor gates; nothing is written.
    """
    blind = [found.video for found in predictions if not (found.gates or found.spatial_attention)]
    if blind:
        raise CallError(f"{blind[0]}: the prediction holds no attention; there is nothing to draw")
    names = picture_names([prediction.video for prediction in predictions])
    for prediction, name in zip(predictions, names, strict=True):
        if prediction.gates:
            gates_picture(prediction, folder / f"{name}-gates.png")
            continue
        of_attention = Terms.of(prediction).is_attention
        attention_strip(prediction, folder / f"{name}-{'attention' if of_attention else 'evidence'}.png")
        if not prediction.segments.over_frames:
            continue
        boxes = action_boxes(prediction.segments, truth[prediction.video]) if truth else None
        localization_strip(prediction, folder / f"{name}-mean.png", boxes)


def picture_names(videos: Sequence[str]) -> list[str]:
    """A file name without suffix for each video, all different: its own name, with folders if need be."""
    names: list[str] = []
    for short in short_names(videos):
        stem = PurePosixPath(short.strip("/").replace("/", "-") or "video").stem
        alike = (f"{stem}-{number}" for number in count(2))
        names.append(next(name for name in chain([stem], alike) if name not in names))
    return names
