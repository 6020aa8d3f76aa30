"""Does attention lie where and when the action is? Predictions against generated truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from attcell.data.synth.truth import Truth, VideoTruth
from attcell.metrics.attention import peak_in_box, pointing_chance, temporal_auc
from attcell.records import Prediction


@dataclass(frozen=True)
class AttentionFigures:
    """How attention stands against the truth.

    Attributes:
        pointing: share of action segments whose strongest region lies in the actor's box.
        pointing_chance: the same for a random region.
        num_segments: the action segments behind these two.
        auc: how well the temporal scores rank a video's action segments over its others, as the mean area
            under the ROC curve (0.5 is chance); NaN where no video has both.
        num_videos: the videos behind it.
    """

    pointing: float
    pointing_chance: float
    num_segments: int
    auc: float
    num_videos: int


def attention_figures(
    found: Iterable[tuple[Prediction, VideoTruth]], truth: Truth, stream: str = "frame"
) -> AttentionFigures:
    """Compare the attention of predictions with the truth of their videos."""
    hits: list[bool] = []
    chances: list[float] = []
    areas: list[float] = []
    for prediction, video in found:
        action = video.action[_shown(prediction, video, truth)]
        areas.append(temporal_auc(prediction.temporal_scores, action.astype(int)))
        boxes = action_boxes(prediction, video, truth)
        for box, attention in zip(boxes[action], prediction.spatial_attention[stream][action], strict=True):
            hits.append(peak_in_box(attention, box, prediction.attended_area))
            chances.append(pointing_chance(len(attention), box, prediction.attended_area))
    ranked = [area for area in areas if not np.isnan(area)]
    return AttentionFigures(
        pointing=float(np.mean(hits)) if hits else float("nan"),
        pointing_chance=float(np.mean(chances)) if chances else float("nan"),
        num_segments=len(hits),
        auc=float(np.mean(ranked)) if ranked else float("nan"),
        num_videos=len(ranked),
    )


def action_boxes(prediction: Prediction, video: VideoTruth, truth: Truth) -> np.ndarray:
    """(T, 4) the actor's box in each segment's frame, as fractions of it; NaN where it does not act."""
    shown = _shown(prediction, video, truth)
    boxes = video.boxes[shown] / (*truth.size, *truth.size)
    return np.where(video.action[shown, None], boxes, np.nan)


def _shown(prediction: Prediction, video: VideoTruth, truth: Truth) -> np.ndarray:
    """(T,) the frames that stand for the segments, counted from 0."""
    frames = (prediction.frame_seconds * truth.fps).round().astype(int)
    return np.minimum(frames, video.num_frames - 1)
