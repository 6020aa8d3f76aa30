"""What the page shows of one prediction, ready for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attcell.errors import CallError, ModelError
from attcell.records import Prediction
from attcell.report.curve import Curve, TimeAxis, attention_curve, clock
from attcell.report.images import fitted, heat_uri, jpeg_uri
from attcell.report.overlay import peak_weight

FRAME_LONGEST = 320
THUMB_LONGEST = 120
STRIP_LONGEST = 1200


@dataclass(frozen=True)
class ClassView:
    label: str
    percent: float


@dataclass(frozen=True)
class StreamView:
    """One stream's colour scale."""

    name: str
    peak: float
    even: float


@dataclass(frozen=True)
class SegmentView:
    """One segment: times as text, places on the time line in percent, pictures as ``data:`` addresses."""

    number: int
    at: str
    start: str
    end: str
    left: float
    width: float
    weight: float
    bar: float
    frame: str
    thumb: str
    focus: tuple[float, float]
    heats: list[str]
    alt: str


@dataclass(frozen=True)
class VideoView:
    """One video's section."""

    name: str
    path: str
    notes: tuple[str, ...]
    duration: str
    num_classes: int
    top: list[ClassView]
    rest: list[ClassView]
    streams: list[StreamView]
    segments: list[SegmentView]
    strongest: int
    area: tuple[float, float, float, float]
    size: tuple[int, int]
    curve: Curve
    ticks: list[tuple[float, str]]


def short_names(videos: Sequence[str]) -> list[str]:
    """The shortest ends of the paths, cut at folders, that tell the videos of a page apart.

    The same path twice keeps the same name twice.
    """
    paths = [[part for part in video.replace("\\", "/").split("/") if part] or [video] for video in videos]
    longest = max(map(len, paths))
    for length in range(1, longest + 1):
        names = ["/".join(path[-length:]) for path in paths]
        if len(set(names)) == len({tuple(path) for path in paths}):
            break
    return names


def video_view(prediction: Prediction, name: str) -> VideoView:
    """Everything that the page shows of ``prediction``, pictures included.

    Raises:
        CallError: its arrays do not fit together.
        ModelError: its scores or weights are not finite numbers.
    """
    check(prediction)
    axis = TimeAxis.over(prediction.segments_seconds)
    ranked = [ClassView(label, 100 * score) for label, score in prediction.top(len(prediction.labels))]
    peaks = {name: peak_weight(maps) for name, maps in prediction.spatial_attention.items()}
    left, top, right, bottom = (100 * side for side in prediction.attended_area)
    return VideoView(
        name=name,
        path=prediction.video,
        notes=prediction.notes,
        duration=clock(prediction.duration_seconds),
        num_classes=len(prediction.labels),
        top=ranked[:5],
        rest=ranked[5:],
        streams=[
            StreamView(name, peaks[name], 1 / maps[0].size)
            for name, maps in prediction.spatial_attention.items()
        ],
        segments=[_segment_view(prediction, axis, peaks, t) for t in range(len(prediction.frames))],
        strongest=int(np.argmax(prediction.temporal_attention)),
        area=(left, top, right - left, bottom - top),
        size=fitted(prediction.frames[0], FRAME_LONGEST).size,
        curve=attention_curve(
            axis, prediction.segments_seconds, prediction.frame_seconds, prediction.temporal_attention
        ),
        ticks=axis.ticks(),
    )


def _segment_view(prediction: Prediction, axis: TimeAxis, peaks: dict[str, float], t: int) -> SegmentView:
    start, end = (float(seconds) for seconds in prediction.segments_seconds[t])
    at, weight = clock(float(prediction.frame_seconds[t])), float(prediction.temporal_attention[t])
    maps = {name: maps[t] for name, maps in prediction.spatial_attention.items()}
    x, y = _centre(list(maps.values()), prediction.attended_area)
    left = axis.share(start)
    thumb = min(FRAME_LONGEST, max(THUMB_LONGEST, STRIP_LONGEST // len(prediction.frames)))
    return SegmentView(
        number=t + 1,
        at=at,
        start=clock(start),
        end=clock(end),
        left=100 * left,
        width=100 * (axis.share(end) - left),
        weight=weight,
        bar=100 * weight / max(float(prediction.temporal_attention.max()), 1e-12),
        frame=jpeg_uri(fitted(prediction.frames[t], FRAME_LONGEST)),
        thumb=jpeg_uri(fitted(prediction.frames[t], thumb), quality=70),
        focus=(100 * x, 100 * y),
        heats=[heat_uri(map_, peaks[name]) for name, map_ in maps.items()],
        alt=f"Frame at {at}. " + _attended_words(maps, prediction.attended_area),
    )


def _centre(maps: list[np.ndarray], area: tuple[float, float, float, float]) -> tuple[float, float]:
    """The mean place of the attention, as fractions of the frame's width and height."""
    if not maps:
        return 0.5, 0.5
    mean = sum(map_ / map_.sum() for map_ in maps) / len(maps)
    rows, columns = mean.shape
    across = float((mean.sum(axis=0) * (np.arange(columns) + 0.5)).sum()) / columns
    down = float((mean.sum(axis=1) * (np.arange(rows) + 0.5)).sum()) / rows
    return area[0] + across * (area[2] - area[0]), area[1] + down * (area[3] - area[1])


def _attended_words(maps: dict[str, np.ndarray], area: tuple[float, float, float, float]) -> str:
    """Where each stream's attention peaks, for people who do not see the picture."""
    said = []
    for name, map_ in maps.items():
        row, column = np.unravel_index(int(np.argmax(map_)), map_.shape)
        x = area[0] + (int(column) + 0.5) / map_.shape[1] * (area[2] - area[0])
        y = area[1] + (int(row) + 0.5) / map_.shape[0] * (area[3] - area[1])
        across, down = ("left", "centre", "right")[int(x * 3)], ("top", "middle", "bottom")[int(y * 3)]
        said.append(f"{name} attention is strongest at {down} {across}")
    return "; ".join(said).capitalize() + "." if said else ""


def check(prediction: Prediction) -> None:
    """Refuse a prediction whose parts do not fit together or are not finite numbers."""
    num_segments = len(prediction.frames)
    shapes = {
        "scores": (prediction.scores, (len(prediction.labels),)),
        "segments_seconds": (prediction.segments_seconds, (num_segments, 2)),
        "frame_seconds": (prediction.frame_seconds, (num_segments,)),
        "temporal_scores": (prediction.temporal_scores, (num_segments,)),
        "duration_seconds": (np.asarray(prediction.duration_seconds), ()),
        "attended_area": (np.asarray(prediction.attended_area), (4,)),
        "temporal_attention": (prediction.temporal_attention, (num_segments,)),
        "frames": (prediction.frames, (num_segments, *prediction.frames.shape[1:3], 3)),
        **{
            f"spatial_attention[{name!r}]": (maps, (num_segments, *maps.shape[-2:]))
            for name, maps in prediction.spatial_attention.items()
        },
    }
    if num_segments == 0:
        raise CallError(
            f"{prediction.video}: the prediction holds no segment; at least one is needed to draw it"
        )
    for name, (array, wanted) in shapes.items():
        if array.shape != wanted:
            raise CallError(
                f"{prediction.video}: {name} has shape {array.shape}, but {num_segments} frames and "
                f"{len(prediction.labels)} labels ask for {wanted}"
            )
        if not np.isfinite(array).all():
            raise ModelError(
                f"{prediction.video}: {name} holds values that are not finite numbers; the model's "
                "weights or its input are broken: try another video, or train again with a smaller rate"
            )
