"""Pictures of predictions in a folder, as in the paper: Fig. 4 and Fig. 6 of each video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, count
from pathlib import Path, PurePosixPath

from attcell.data.box_truth import BoxedVideo
from attcell.engine.localising import action_boxes
from attcell.errors import CallError
from attcell.records import Prediction
from attcell.report.gates import gates_picture
from attcell.report.localisation import localisation_strip
from attcell.report.strip import attention_strip
from attcell.report.views import short_names


def write_pictures(
    predictions: Sequence[Prediction], folder: Path, truth: Mapping[str, BoxedVideo] | None = None
) -> None:
    """Write ``NAME-attention.png`` and ``NAME-mean.png`` of each prediction.

    The first shows each stream's attention (:func:`attention_strip`), the second their mean, beside the
    action's true boxes where they are known (:func:`localisation_strip`). Of a TAN, which does not look at
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
        attention_strip(prediction, folder / f"{name}-attention.png")
        boxes = action_boxes(prediction, truth[prediction.video]) if truth else None
        localisation_strip(prediction, folder / f"{name}-mean.png", boxes)


def picture_names(videos: Sequence[str]) -> list[str]:
    """A file name without suffix for each video, all different: its own name, with folders if need be."""
    names: list[str] = []
    for short in short_names(videos):
        stem = PurePosixPath(short.strip("/").replace("/", "-") or "video").stem
        alike = (f"{stem}-{number}" for number in count(2))
        names.append(next(name for name in chain([stem], alike) if name not in names))
    return names
