"""Found actions for people: bars in lanes under the page's time line, and a list.

A rule that ranks finds many of next to no score. They count for figures, and would hide the others here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attcell.records import Detection
from attcell.report.curve import TimeAxis, clock

MOST_LANES = 8
MOST_LISTED = 100
LEAST_SHARE = 0.01  # of the best score of the video


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
