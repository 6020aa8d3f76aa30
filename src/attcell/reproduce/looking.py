"""Where and when a trained STAN looks, video by video: against the truth, and by deletion and insertion."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from attcell.data.box_truth import BoxedVideo
from attcell.data.dataset import PlannedViews
from attcell.engine.build import evaluation_plan, input_spec
from attcell.engine.erasing import erase
from attcell.engine.localising import AttentionFigures, attention_figures
from attcell.engine.model_folder import SavedModel, load_model
from attcell.engine.predicting import predict_video
from attcell.errors import VideoError
from attcell.nn import STAN
from attcell.records import VideoRecord

SEGMENTS_ERASED = 12  # of each video whose regions and segments are taken away


@dataclass(frozen=True)
class Look:
    """What was seen of one video.

    Attributes:
        attention: stream → its attention against the truth.
        areas: (way, what, order) → area under the curve; empty where nothing was taken away.
    """

    attention: dict[str, AttentionFigures]
    areas: dict[tuple[str, str, str], float]


def look_at(model: Path, video: Path, truth: BoxedVideo, *, erasing: bool) -> Look:
    """Predict one video and compare the attention with the truth; with ``erasing`` follow its curves too."""
    saved = _loaded(model)
    prediction = predict_video(saved, video)
    streams = prediction.spatial_attention
    attention = {stream: attention_figures([(prediction, truth)], stream) for stream in streams}
    return Look(attention, _areas(saved, video) if erasing else {})


def _areas(saved: SavedModel, video: Path) -> dict[tuple[str, str, str], float]:
    plan, spec = evaluation_plan(saved.recipe, SEGMENTS_ERASED), input_spec(saved.recipe).computing_flow()
    views = PlannedViews([VideoRecord(video.name, video, ())], spec, plan)[0]
    if isinstance(views, VideoError):
        raise views
    assert isinstance(saved.network, STAN), "the suite looks at STAN of early fusion"
    rng = np.random.default_rng(zlib.crc32(f"{video.parent.name}/{video.name}".encode()))
    view = {stream: inputs[0] for stream, inputs in views.inputs.items()}
    return {(curve.way, curve.what, curve.order): curve.area for curve in erase(saved.network, view, rng)}


@lru_cache(maxsize=1)
def _loaded(model: Path) -> SavedModel:
    saved = load_model(model)
    saved.network.eval()
    return saved


def figures_of(looks: Sequence[Look]) -> dict[str, float]:
    """The figures of the table, in percent, over all videos of a seed. High is good in all of them."""
    figures: dict[str, float] = {}
    for stream in looks[0].attention:
        of_stream = [look.attention[stream] for look in looks]
        counts = [of.num_segments for of in of_stream]
        pointing = np.array([of.pointing if of.num_segments else 0.0 for of in of_stream])
        figures[f"peak on the actor, {stream}"] = 100 * float(np.average(pointing, weights=counts))
    ranked = [look.attention[stream].auc for look in looks]
    figures["temporal ROC area"] = 100 * float(np.nanmean(ranked))
    erased = [look.areas for look in looks if look.areas]
    for way, what, order in erased[0]:
        area = float(np.mean([areas[way, what, order] for areas in erased]))
        figures[f"{way} of {what}, {order}"] = 100 * (1 - area if way == "deletion" else area)
    return figures
