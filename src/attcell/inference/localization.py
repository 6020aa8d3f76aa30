"""Does attention lie where and when the action is? What a network saw, against true boxes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from attcell.data.truth import BoxedVideo
from attcell.metrics.localization import (
    mass_chance,
    mass_in_box,
    mean_maps,
    peak_in_box,
    pointing_chance,
    temporal_auc,
)
from attcell.types import AttentionTrack

MEAN = "mean"


@dataclass(frozen=True)
class AttentionMetrics:
    """How attention stands against the truth.

    Attributes:
        pointing: share of action segments whose strongest region lies in an actor's box.
        pointing_chance: the same for a random region.
        mass: mean share of an action segment's attention that lies in the boxes.
        mass_chance: the same for even attention.
        num_segments: the action segments behind these four.
        auc: how well the temporal scores rank a video's action segments over its others, as the mean area
            under the ROC curve (0.5 is chance); NaN where no video has both.
        num_videos: the videos behind it.
    """

    pointing: float
    pointing_chance: float
    mass: float
    mass_chance: float
    num_segments: int
    auc: float
    num_videos: int


def attention_metrics(
    found: Sequence[tuple[AttentionTrack, BoxedVideo]], stream: str = "frame"
) -> AttentionMetrics:
    """Compare the attention of one stream, or of their ``mean``, with the truth of the videos."""
    rows: list[tuple[float, float, float, float]] = []
    for track, video in found:
        shown = _shown(track, video)
        action = video.action[shown]
        maps = {name: _at_least_single(of) for name, of in track.over_frames.items()}
        chosen = mean_maps(list(maps.values())) if stream == MEAN else maps[stream]
        for boxes, attention in zip(video.boxes[shown][action], chosen[action], strict=True):
            rows.append(_figures(attention, boxes, track.attended_area))
    pointing, chance, mass, even = np.mean(rows, axis=0).tolist() if rows else [float("nan")] * 4
    return AttentionMetrics(pointing, chance, mass, even, len(rows), *temporal_metrics(found))


def temporal_metrics(found: Iterable[tuple[AttentionTrack, BoxedVideo]]) -> tuple[float, int]:
    """How well temporal scores rank the action segments of videos over their others, whatever the streams
    look at: ``auc`` and ``num_videos`` of :class:`AttentionMetrics`."""
    areas = [
        temporal_auc(track.temporal_scores, video.action[_shown(track, video)].astype(int))
        for track, video in found
    ]
    ranked = [area for area in areas if not np.isnan(area)]
    return float(np.mean(ranked)) if ranked else float("nan"), len(ranked)


def action_boxes(track: AttentionTrack, video: BoxedVideo) -> np.ndarray:
    """(T, M, 4) the actors' boxes in each segment's frame, as fractions of it; NaN where none acts."""
    return video.boxes[_shown(track, video)]


def streams_of(found: Iterable[tuple[AttentionTrack, BoxedVideo]]) -> list[str]:
    """The streams that all have and that look at pictures, and of several their mean."""
    names = [list(track.over_frames) for track, _ in found]
    common = [name for name in names[0] if all(name in others for others in names)] if names else []
    return [*common, MEAN] if len(common) > 1 else common


def _at_least_single(maps: np.ndarray) -> np.ndarray:
    """A dense track's maps are in half precision, in which sums are rounded."""
    return maps.astype(np.result_type(maps.dtype, np.float32), copy=False)


def _figures(
    attention: np.ndarray, boxes: np.ndarray, area: tuple[float, ...]
) -> tuple[float, float, float, float]:
    side = len(attention)
    attended = (area[0], area[1], area[2], area[3])
    return (
        float(peak_in_box(attention, boxes, attended)),
        pointing_chance(side, boxes, attended),
        mass_in_box(attention, boxes, attended),
        mass_chance(side, boxes, attended),
    )


def _shown(track: AttentionTrack, video: BoxedVideo) -> np.ndarray:
    """(T,) the frames that stand for the segments, counted from 0."""
    return video.frames_at(track.frame_seconds - track.seconds[0, 0])
