"""The time line: real time on x, temporal attention on y, as shapes that SVG and CSS can draw.

Below it lie the found actions, as bars in lanes and as a list. A rule that ranks finds many of next to no
score: they count for metrics, would hide the others here, and are only counted.

The steps of the ticks are our own: matplotlib's locators know no clock times, and importing them would add
half a second to a page that needs matplotlib for nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from attcell.types import AttentionTrack, Detection

CURVE_WIDTH = 1000
CURVE_HEIGHT = 200
MOST_STEPS = 1000
MOST_LANES = 8
MOST_LISTED = 100
LEAST_SHARE = 0.01  # of the best score of the video


def clock(seconds: float) -> str:
    """A time as mm:ss.s, with hours before it from one hour on; a minus sign before negative times."""
    tenths = round(abs(seconds) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds < 0 and (hours or minutes or tenths) else ""
    start = f"{hours}:{minutes:02d}" if hours else f"{minutes:02d}"
    return f"{sign}{start}:{tenths // 10:02d}.{tenths % 10}"


@dataclass(frozen=True)
class TimeAxis:
    """Time from ``start`` to ``end`` seconds, laid from left to right."""

    start: float
    end: float

    @classmethod
    def over(cls, segments_seconds: np.ndarray) -> TimeAxis:
        """The axis from the first segment's start to the last one's end, never empty."""
        start, end = float(segments_seconds.min()), float(segments_seconds.max())
        return cls(start, max(end, start + 1e-3))

    def share(self, seconds: float) -> float:
        """Where a time lies, 0 at the left end and 1 at the right; times outside go to the ends."""
        return min(max((seconds - self.start) / (self.end - self.start), 0.0), 1.0)

    def ticks(self, most: int = 8) -> list[tuple[float, str]]:
        """Round times with their labels, as (share, mm:ss.s); ``most`` of them at most."""
        step = _time_step((self.end - self.start) / most)
        first, last = math.ceil(self.start / step - 1e-6), math.floor(self.end / step + 1e-6)
        return [(self.share(n * step), clock(n * step)) for n in range(first, last + 1)]


def _time_step(least: float) -> float:
    """The smallest round step of at least ``least`` seconds, and at least the tenth that labels show."""
    for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600):
        if step >= least:
            return float(step)
    return 3600.0 * math.ceil(least / 3600)


def round_levels(ceiling: float, most: int = 4) -> list[float]:
    """Zero and round values up to ``ceiling``, ``most`` + 1 of them at most."""
    power = 10.0 ** math.floor(math.log10(ceiling / most))
    step = next(m * power for m in (1, 2, 5, 10) if m * power * most >= ceiling * (1 - 1e-9))
    return [n * step for n in range(math.floor(ceiling / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Curve:
    """Shapes in a box of ``CURVE_WIDTH`` × ``CURVE_HEIGHT``, y downwards.

    Attributes:
        area: path of the filled area, one step a segment.
        line: path of the steps' upper edge.
        dots: path of zero-length strokes, one where each segment's frame stands.
        even: height of the even weight 1/T, or of the mean, as a share of the box from below.
        levels: (share from below, label) of the lines to read the curve by.
        streams: stream → path of the steps of its own attention, in late fusion.
    """

    area: str
    line: str
    dots: str
    even: float
    levels: list[tuple[float, str]]
    streams: dict[str, str]


def attention_curve(
    axis: TimeAxis,
    segments_seconds: np.ndarray,
    frame_seconds: np.ndarray,
    attention: np.ndarray,
    by_stream: Mapping[str, np.ndarray],
) -> Curve:
    """The temporal attention (T,) as steps over the segments (T, 2), with the even level 1/T.

    ``by_stream`` is the (T,) of each stream in late fusion, else empty; all share one scale.
    """
    even = 1.0 / len(attention)
    largest = max(float(weights.max()) for weights in (attention, *by_stream.values()))
    ceiling = max(largest * 1.12, min(even * 1.6, 1.12))
    area, dots = [], []
    for (x0, x1), seen, weight in zip(_sides(axis, segments_seconds), frame_seconds, attention, strict=True):
        y = _height(weight, ceiling)
        area.append(f"M{x0:.2f} {CURVE_HEIGHT}V{y:.2f}H{x1:.2f}V{CURVE_HEIGHT}Z")
        dots.append(f"M{CURVE_WIDTH * axis.share(float(seen)):.2f} {y:.2f}h0")
    return Curve(
        area="".join(area),
        line=_steps(axis, segments_seconds, attention, ceiling),
        dots="".join(dots),
        even=even / ceiling,
        levels=[(level / ceiling, f"{level:g}") for level in round_levels(ceiling)],
        streams={
            name: _steps(axis, segments_seconds, weights, ceiling) for name, weights in by_stream.items()
        },
    )


def track_curve(axis: TimeAxis, track: AttentionTrack) -> Curve:
    """The temporal scores of a track as steps, from the video's least at 0 to its largest at 1.

    Of more than ``MOST_STEPS`` samples neighbours are joined, and the largest of them is drawn.
    """
    k = track.temporal_scores.astype(np.float64)
    share = (k - k.min()) / max(float(np.ptp(k)), 1e-12)
    firsts = np.unique(np.linspace(0, len(k), min(len(k), MOST_STEPS), endpoint=False).astype(int))
    ends = np.append(firsts[1:], len(k))
    seconds = np.stack([track.seconds[firsts, 0], track.seconds[ends - 1, 1]], axis=1)
    largest, ceiling = np.maximum.reduceat(share, firsts), 1.08
    area = [
        f"M{x0:.2f} {CURVE_HEIGHT}V{_height(value, ceiling):.2f}H{x1:.2f}V{CURVE_HEIGHT}Z"
        for (x0, x1), value in zip(_sides(axis, seconds), largest, strict=True)
    ]
    return Curve(
        area="".join(area),
        line=_steps(axis, seconds, largest, ceiling),
        dots="",
        even=float(share.mean()) / ceiling,
        levels=[(level / ceiling, f"{level:g}") for level in (0.0, 0.5, 1.0)],
        streams={},
    )


def _steps(axis: TimeAxis, segments_seconds: np.ndarray, attention: np.ndarray, ceiling: float) -> str:
    """A path along the weights, broken where there is a gap between segments."""
    path = []
    before = None
    for (x0, x1), weight in zip(_sides(axis, segments_seconds), attention, strict=True):
        y = _height(weight, ceiling)
        joined = before is not None and abs(x0 - before) < 0.5
        path.append(f"{f'V{y:.2f}' if joined else f'M{x0:.2f} {y:.2f}'}H{x1:.2f}")
        before = x1
    return "".join(path)


def _sides(axis: TimeAxis, segments_seconds: np.ndarray) -> list[tuple[float, float]]:
    return [
        (CURVE_WIDTH * axis.share(float(start)), CURVE_WIDTH * axis.share(float(end)))
        for start, end in segments_seconds
    ]


def _height(weight: float, ceiling: float) -> float:
    return CURVE_HEIGHT * (1 - float(weight) / ceiling)


@dataclass(frozen=True)
class FoundView:
    """One found action: times as text and in seconds from the video's start, its bar's place in percent."""

    label: str
    start: str
    end: str
    at: float
    until: float
    left: float
    width: float
    score: str
    strength: float


@dataclass(frozen=True)
class Lane:
    """The found actions of one class."""

    label: str
    found: list[FoundView]


@dataclass(frozen=True)
class FoundViews:
    """All that is shown of the actions found in a video, best first.

    Attributes:
        lanes: of the classes with the best actions, at most 8.
        listed: the best, at most 100, with scores that are no less than a hundredth of the best.
        num_hidden: the others.
    """

    lanes: list[Lane]
    listed: list[FoundView]
    num_hidden: int


def found_views(detections: Sequence[Detection], axis: TimeAxis) -> FoundViews:
    """The found actions, those of a higher score more strongly."""
    best = max((of.score for of in detections), default=0.0)
    listed = [_view(of, axis, best) for of in worth_showing(detections)[:MOST_LISTED]]
    by_label: dict[str, list[FoundView]] = {}
    for view in listed:
        by_label.setdefault(view.label, []).append(view)
    lanes = [Lane(label, views) for label, views in list(by_label.items())[:MOST_LANES]]
    return FoundViews(lanes, listed, len(detections) - len(listed))


def worth_showing(detections: Sequence[Detection]) -> list[Detection]:
    """Those, of the best-first list of a video, whose score is no less than a hundredth of the best.

    Where no score is above 0, as of raw attention below 0, they say nothing of shares: all of them.
    """
    best = max((of.score for of in detections), default=0.0)
    return [of for of in detections if best <= 0 or of.score >= LEAST_SHARE * best]


def _view(of: Detection, axis: TimeAxis, best: float) -> FoundView:
    left = axis.share(of.start_seconds)
    return FoundView(
        of.label,
        clock(of.start_seconds),
        clock(of.end_seconds),
        at=round(of.start_seconds - axis.start, 3),
        until=round(of.end_seconds - axis.start, 3),
        left=100 * left,
        width=100 * (axis.share(of.end_seconds) - left),
        score=f"{of.score:.3g}",
        strength=0.25 + 0.75 * max(of.score, 0.0) / best if best > 0 else 1.0,
    )
