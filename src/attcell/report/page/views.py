"""What the page shows of one prediction, ready for the template."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from attcell.flow.colours import speeds
from attcell.metrics.localization import mean_maps
from attcell.report.overlay import Layer, Terms, check, layers_of, peak_weight
from attcell.report.page.heard import HeardPicture, HeardView, heard_picture, heard_view
from attcell.report.page.media import (
    LARGEST,
    fitted,
    heat_uri,
    jpeg_uri,
    playable,
    player_data,
)
from attcell.report.page.timeline import (
    Curve,
    FoundViews,
    TimeAxis,
    attention_curve,
    clock,
    found_views,
    track_curve,
)
from attcell.report.sound import SoundLayer, sound_layers, wave_path
from attcell.types import Prediction, Size

FRAME_LONGEST = 320
THUMB_LONGEST = 120
STRIP_LONGEST = 1200
MEAN = "mean of the streams"
_DIRECTIONS = (
    "to the right",
    "down and to the right",
    "down",
    "down and to the left",
    "to the left",
    "up and to the left",
    "up",
    "up and to the right",
)


@dataclass(frozen=True)
class ClassView:
    label: str
    percent: float


@dataclass(frozen=True)
class StreamView:
    """One stream's scales; ``scale``, in pixels a frame, is there where its picture is flow in colours."""

    name: str
    peak: float
    even: float
    scale: float | None


@dataclass(frozen=True)
class StreamPicture:
    """One stream's attention on one segment; ``flow`` is what lies under it in place of the frame."""

    heat: str
    flow: str | None
    alt: str


@dataclass(frozen=True)
class SegmentView:
    """One segment: times as text and in seconds from the video's start, places on the time line in percent,
    pictures as ``data:`` addresses, which are empty where there are none.

    ``weights`` are each stream's own in late fusion, as text; else empty. ``sounds`` are what the streams
    that hear sound heard.
    """

    number: int
    seconds: float
    until: float
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
    streams: list[StreamPicture]
    weights: str
    alt: str
    sounds: list[HeardPicture]


@dataclass(frozen=True)
class Media:
    """A video as base64, and its kind; whether it can be heard, and if not, why its sound was left out."""

    mime: str
    content: str
    has_sound: bool
    silent_because: str


@dataclass(frozen=True)
class VideoView:
    """One video's section.

    Of late fusion, ``networks`` names each stream's network with its weight, and ``peaks`` says in words when
    it attends most. Of TAN they are its branches, and ``gates`` is a picture of its sharing gates. ``found``
    are the actions found in time, None where none were looked for; then the curve is ``by_samples``.
    ``heard`` are the streams that hear sound; ``wave`` is the path of the waveform where there are none, and
    empty without sound.
    ``media`` is the video itself, None where it cannot be read any more; ``player`` is drawn over it.
    ``terms`` are what the weights are called.
    """

    name: str
    path: str
    notes: tuple[str, ...]
    duration: str
    num_classes: int
    top: list[ClassView]
    rest: list[ClassView]
    streams: list[StreamView]
    heard: list[HeardView]
    wave: str
    segments: list[SegmentView]
    strongest: int
    area: tuple[float, float, float, float]
    size: Size
    curve: Curve
    networks: list[str]
    peaks: str
    gates: str
    gates_alt: str
    ticks: list[tuple[float, str]]
    found: FoundViews | None
    by_samples: bool
    player: dict[str, Any]
    media: Media | None
    terms: Terms

    @property
    def is_even(self) -> bool:
        """Do two segments or more all weigh alike?"""
        weights = {segment.weight for segment in self.segments}
        return len(weights) == 1 and len(self.segments) > 1

    @property
    def has_pictures(self) -> bool:
        """Is there a frame of each segment? Of features there is none."""
        return bool(self.segments[0].frame)

    @property
    def has_flow(self) -> bool:
        """Is flow shown in colours?"""
        return any(stream.scale is not None for stream in self.streams)


def video_view(prediction: Prediction, name: str, most_bytes: int = LARGEST) -> VideoView:
    """Everything that the page shows of ``prediction``, pictures included, and the video in so many bytes.

    Raises:
        CallError: its arrays do not fit together.
        ModelError: its scores or weights are not finite numbers.
    """
    check(prediction)
    axis = TimeAxis.over(prediction.segments_seconds)
    ranked = [ClassView(label, 100 * score) for label, score in prediction.top(len(prediction.labels))]
    layers, sampled_frames = _layers_over_time(prediction)
    sounds = sound_layers(prediction)
    gates, gates_alt = _gates(prediction)
    left, top, right, bottom = (100 * side for side in prediction.attended_area)
    return VideoView(
        name=name,
        path=prediction.video,
        notes=prediction.notes,
        duration=clock(prediction.duration_seconds),
        num_classes=len(prediction.labels),
        top=ranked[:5],
        rest=ranked[5:],
        streams=[StreamView(layer.name, layer.peak, layer.even, layer.scale) for layer in layers],
        heard=[heard_view(prediction, layer) for layer in sounds],
        wave="" if sounds or prediction.sound is None else wave_path(prediction.sound.peaks),
        segments=[
            _segment_view(prediction, axis, layers, sounds, t) for t in range(len(prediction.segments))
        ],
        strongest=int(np.argmax(prediction.temporal_attention)),
        area=(left, top, right - left, bottom - top),
        size=Size(1, 1)
        if prediction.of_features
        else Size(*fitted(prediction.frames[0], FRAME_LONGEST).size),
        curve=_curve(prediction, axis),
        networks=_network_names(prediction),
        peaks=_peak_words(prediction),
        gates=gates,
        gates_alt=gates_alt,
        ticks=axis.ticks(),
        found=None if prediction.detections is None else found_views(prediction.detections, axis),
        by_samples=prediction.track is not None,
        player=player_data(prediction, layers, sampled_frames)
        | {"windows": [layer.hearing.window_seconds for layer in sounds]},
        media=None if prediction.of_features else _media(prediction.video, most_bytes),
        terms=Terms.of(prediction),
    )


def _gates(prediction: Prediction) -> tuple[str, str]:
    """The picture of TAN's sharing gates, and the same in words; else nothing, and matplotlib stays away."""
    if not prediction.gates:
        return "", ""
    from attcell.report.figures.gates import gates_uri, gates_words

    return gates_uri(prediction), gates_words(prediction)


def _layers_over_time(prediction: Prediction) -> tuple[list[Layer], list[np.ndarray]]:
    """The streams that look at pictures and, of several, their mean; and the maps of each over the whole
    video."""
    layers = layers_of(prediction)
    track = prediction.track
    whole = prediction.segments.over_frames if track is None else track.over_frames
    sampled_frames = [whole[layer.name].astype(np.float32) for layer in layers]
    layers = [
        replace(layer, peak=peak_weight(maps)) for layer, maps in zip(layers, sampled_frames, strict=True)
    ]
    if len(layers) > 1:
        shown, mean = mean_maps([layer.maps for layer in layers]), mean_maps(sampled_frames)
        layers.append(Layer(MEAN, shown, peak_weight(mean), None))
        sampled_frames.append(mean)
    return layers, sampled_frames


def _curve(prediction: Prediction, axis: TimeAxis) -> Curve:
    if prediction.track is not None:
        return track_curve(axis, prediction.track)
    return attention_curve(
        axis,
        prediction.segments_seconds,
        prediction.frame_seconds,
        prediction.temporal_attention,
        prediction.temporal_attention_by_stream,
    )


def _media(video: str, most_bytes: int) -> Media | None:
    found = playable(Path(video), most_bytes)
    if found is None:
        return None
    content = base64.b64encode(found.content).decode("ascii")
    return Media(found.mime, content, found.has_sound, found.silent_because)


def _segment_view(
    prediction: Prediction, axis: TimeAxis, layers: list[Layer], sounds: list[SoundLayer], t: int
) -> SegmentView:
    start, end = (float(seconds) for seconds in prediction.segments_seconds[t])
    at, weight = clock(float(prediction.frame_seconds[t])), float(prediction.temporal_attention[t])
    by_stream = prediction.temporal_attention_by_stream
    maps = {layer.name: layer.maps[t] for layer in layers}
    x, y = _centre(list(maps.values()), prediction.attended_area)
    left = axis.share(start)
    frame, thumb = ("", "") if prediction.of_features else _frame_uris(prediction, t)
    return SegmentView(
        number=t + 1,
        seconds=float(prediction.frame_seconds[t]) - axis.start,
        until=end - axis.start,
        at=at,
        start=clock(start),
        end=clock(end),
        left=100 * left,
        width=100 * (axis.share(end) - left),
        weight=weight,
        bar=100 * weight / max(float(prediction.temporal_attention.max()), 1e-12),
        frame=frame,
        thumb=thumb,
        focus=(100 * x, 100 * y),
        streams=[_stream_picture(prediction, layer, t, at) for layer in layers],
        weights=", ".join(f"{name} {weights[t]:.3f}" for name, weights in by_stream.items()),
        alt=f"Frame at {at}. " + attended_words(maps, prediction.attended_area, Terms.of(prediction).where),
        sounds=[heard_picture(prediction, layer, t) for layer in sounds],
    )


def _frame_uris(prediction: Prediction, t: int) -> tuple[str, str]:
    """A segment's frame, and the small one for the strip."""
    frame = prediction.frames[t]
    longest = min(FRAME_LONGEST, max(THUMB_LONGEST, STRIP_LONGEST // len(prediction.frames)))
    return jpeg_uri(fitted(frame, FRAME_LONGEST)), jpeg_uri(fitted(frame, longest), quality=70)


def _stream_picture(prediction: Prediction, layer: Layer, t: int, at: str) -> StreamPicture:
    heat = heat_uri(layer.maps[t], layer.peak, layer.ramp)
    if layer.scale is None or prediction.flow is None:
        return StreamPicture(heat, None, "")
    flow = jpeg_uri(fitted(layer.picture(prediction, t), FRAME_LONGEST))
    return StreamPicture(heat, flow, f"Flow at {at}. {motion_words(prediction.flow[t])}")


def _network_names(prediction: Prediction) -> list[str]:
    """Each network of late fusion, with how much it counts if that is known."""
    weights = prediction.stream_weights
    return [
        f"{name} (counts {weights[name]:.2f})" if name in weights else name
        for name in prediction.temporal_attention_by_stream
    ]


def _peak_words(prediction: Prediction) -> str:
    """When each network of late fusion attends most, for people who do not see the curves."""
    said = []
    for name, weights in prediction.temporal_attention_by_stream.items():
        most = int(np.argmax(weights))
        said.append(
            f"; {name} strongest at {clock(float(prediction.frame_seconds[most]))} with {weights[most]:.3f}"
        )
    return "".join(said)


def _centre(maps: list[np.ndarray], area: tuple[float, float, float, float]) -> tuple[float, float]:
    """The mean place of the streams' attention, as fractions of the frame's width and height."""
    if not maps:
        return 0.5, 0.5
    mean = mean_maps([map_[None] for map_ in maps])[0]
    rows, columns = mean.shape
    across = float((mean.sum(axis=0) * (np.arange(columns) + 0.5)).sum()) / columns
    down = float((mean.sum(axis=1) * (np.arange(rows) + 0.5)).sum()) / rows
    return area[0] + across * (area[2] - area[0]), area[1] + down * (area[3] - area[1])


def attended_words(
    maps: Mapping[str, np.ndarray], area: tuple[float, float, float, float], what: str = "attention"
) -> str:
    """Where the attention (K, K) of each stream peaks; the maps cover ``area``, fractions of the frame."""
    said = []
    for name, map_ in maps.items():
        row, column = np.unravel_index(int(np.argmax(map_)), map_.shape)
        x = area[0] + (int(column) + 0.5) / map_.shape[1] * (area[2] - area[0])
        y = area[1] + (int(row) + 0.5) / map_.shape[0] * (area[3] - area[1])
        across, down = ("left", "centre", "right")[int(x * 3)], ("top", "middle", "bottom")[int(y * 3)]
        said.append(f"{name} {what} is strongest at {down} {across}")
    return "; ".join(said).capitalize() + "." if said else ""


def motion_words(flow: np.ndarray) -> str:
    """How fast the fastest part of a field (2, h, w) moves, and which way; y points downwards."""
    speed = speeds(flow)
    row, column = np.unravel_index(int(np.argmax(speed)), speed.shape)
    if speed[row, column] < 0.05:
        return "Nothing moves."
    x, y = flow[:, row, column]
    way = _DIRECTIONS[round(float(np.arctan2(y, x)) / (np.pi / 4)) % 8]
    return f"The fastest part moves {speed[row, column]:.1f} pixels a frame {way}."
