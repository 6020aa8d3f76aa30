"""Mean average precision of detections in time, by two protocols that do not agree.

*THUMOS* (its TH14evalDet.m): of each class and video, every truth in its order takes, of the detections still
free, the one that overlaps it most, if their IoU is above the threshold, strictly. Detections that no truth
took and that touch an ambiguous interval are left out; the others are wrong. AP is not interpolated. Of equal
scores the video whose name comes first is first, and within a video the detection that is given first; so of
equal overlaps, too. The union of two intervals is the stretch from the first start to the last end.

*ActivityNet* (its eval_detection.py): of each class, the detections in the order of their scores; each takes
the truth of its video that it overlaps most among those not yet taken, if their IoU is the threshold or more.
AP is interpolated. Ambiguous intervals mean nothing. Of equal scores the detection that is given later is
first, and of equal overlaps the truth that is given later is taken. The union is the two lengths less the
intersection.

So ties and rounding are theirs. ActivityNet's program leaves ties to NumPy's default sort, which depends
on the processor and the number of items: what a stable one gives is taken. *Reading*: an empty interval
overlaps nothing (ActivityNet's program takes any two of one video for a match, since 0 / 0 is not below a
threshold).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from attcell.choices import DetectionProtocol
from attcell.errors import CallError
from attcell.metrics._overlaps import (
    Pairs,
    Times,
    iou_of_hull,
    iou_of_lengths,
    overlapping_pairs,
    touching,
)
from attcell.types import ActionInstance, Detection

PROTOCOLS: tuple[DetectionProtocol, ...] = get_args(DetectionProtocol)


@dataclass(frozen=True, eq=False)
class DetectionMetrics:
    """How well actions were found.

    Attributes:
        protocol: ``thumos`` or ``activitynet``.
        labels: the A classes.
        thresholds: the K IoU thresholds.
        average_precision: (A, K), NaN for a class without a truth.
        num_truths: (A,)
        num_detections: (A,)
        num_ignored: (K,) detections left out because they touch an ambiguous interval.
    """

    protocol: str
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    average_precision: Float[np.ndarray, "A K"]
    num_truths: Int[np.ndarray, " A"]
    num_detections: Int[np.ndarray, " A"]
    num_ignored: Int[np.ndarray, " K"]

    @property
    def mean_ap(self) -> Float[np.ndarray, " K"]:
        """At each threshold the mean over the classes that have a truth."""
        return self.average_precision[self.num_truths > 0].mean(axis=0)


def detection_map(
    truths: Sequence[ActionInstance],
    detections: Sequence[Detection],
    thresholds: Sequence[float],
    protocol: str = "thumos",
    *,
    ambiguous: Sequence[ActionInstance] = (),
    labels: Sequence[str] | None = None,
) -> DetectionMetrics:
    """Average precision of each class at each threshold.

    Args:
        truths: the true actions of all videos; at least one.
        detections: what was found, with ``video_id``. One in a video without a truth of its class is wrong.
        thresholds: of the IoU in time, each above 0 and up to 1.
        protocol: ``thumos`` or ``activitynet``.
        ambiguous: intervals that are neither action nor background; their labels mean nothing.
        labels: the classes; by default those of the truths. Detections of other classes do not count.

    Raises:
        CallError: another protocol or threshold, no truth, or times or scores that are no numbers.
    """
    thresholds = tuple(float(bar) for bar in thresholds)
    _check(thresholds, protocol, truths)
    names = tuple(sorted({of.label for of in truths})) if labels is None else tuple(labels)
    numbers = {name: number for number, name in enumerate(names)}
    truths = [of for of in truths if of.label in numbers]
    found = [of for of in detections if of.label in numbers]
    videos: dict[str, int] = {}
    told: tuple[Sequence[ActionInstance] | Sequence[Detection], ...] = (truths, found, ambiguous)
    for video in (of.video_id for some in told for of in some):
        videos.setdefault(video, len(videos))
    true = _times(truths, numbers, videos)
    scores = np.fromiter((of.score for of in found), np.float64, len(found))
    if not np.isfinite(scores).all():
        raise CallError(f"a detection scores {scores[~np.isfinite(scores)][0]}; scores must be numbers")
    order = _ranking(scores, [of.video_id for of in found], protocol)
    ranked = _times([found[place] for place in order.tolist()], numbers, videos)
    pairs = overlapping_pairs(true, ranked, iou_of_hull if protocol == "thumos" else iou_of_lengths)
    match = _truths_take if protocol == "thumos" else _detections_take
    is_ambiguous = np.zeros(len(found), dtype=bool)
    if protocol == "thumos":
        is_ambiguous = touching(ranked, _times(ambiguous, None, videos))
    curve: Callable[..., float] = _stepwise_ap if protocol == "thumos" else _interpolated_ap
    num_truths = np.bincount(true.labels, minlength=len(names))
    values, ignored = np.full((len(names), len(thresholds)), np.nan), []
    per_class = [np.flatnonzero(ranked.labels == number) for number in range(len(names))]
    for column, bar in enumerate(thresholds):
        is_right = match(pairs, len(found), len(truths), bar)
        counts = is_right | ~is_ambiguous
        ignored.append(int((~counts).sum()))
        for number, places in enumerate(per_class):
            if num_truths[number]:
                rows = places[counts[places]]
                values[number, column] = curve(is_right[rows], int(num_truths[number]))
    num_detections = np.bincount(ranked.labels, minlength=len(names))
    return DetectionMetrics(
        protocol, names, thresholds, values, num_truths, num_detections, np.array(ignored, dtype=np.int64)
    )


def _check(thresholds: tuple[float, ...], protocol: str, truths: Sequence[ActionInstance]) -> None:
    if protocol not in PROTOCOLS:
        raise CallError(f"protocol is {protocol!r}; allowed: {', '.join(PROTOCOLS)}")
    outside = [bar for bar in thresholds if not 0 < bar <= 1]
    if outside or not thresholds:
        raise CallError(f"thresholds are {list(thresholds)}; give one or more above 0 and up to 1")
    if not truths:
        raise CallError("there is no true action; the mean average precision has no meaning without one")


def _ranking(scores: Float[np.ndarray, " N"], videos: Sequence[str], protocol: str) -> Int[np.ndarray, " N"]:
    """The order of the detections: by their scores, and of equal ones as the protocol has it."""
    given = np.arange(len(scores))
    if protocol == "activitynet":
        return np.lexsort((-given, -scores))
    ranks = {video: rank for rank, video in enumerate(sorted(set(videos)))}
    return np.lexsort((given, np.array([ranks[video] for video in videos], dtype=np.int64), -scores))


def _times(
    rows: Sequence[ActionInstance] | Sequence[Detection],
    numbers: dict[str, int] | None,
    videos: dict[str, int],
) -> Times:
    starts = np.fromiter((of.start_seconds for of in rows), np.float64, len(rows))
    ends = np.fromiter((of.end_seconds for of in rows), np.float64, len(rows))
    intervals = np.stack([starts, ends], axis=1)
    bad = ~np.isfinite(intervals).all(axis=1) | (intervals[:, 1] < intervals[:, 0])
    if bad.any():
        raise CallError(f"{rows[int(bad.argmax())]} is no interval; it must start before it ends")
    named = (0 if numbers is None else numbers[of.label] for of in rows)
    labels = np.fromiter(named, np.int64, len(rows))
    return Times(np.fromiter((videos[of.video_id] for of in rows), np.int64, len(rows)), labels, intervals)


def _truths_take(pairs: Pairs, num_found: int, num_true: int, bar: float) -> Bool[np.ndarray, " N"]:
    """Which detections are right: each truth in turn takes the best of the detections still free."""
    is_free = np.ones(num_found, dtype=bool)
    for turn in pairs.by_truth(bar):
        open_ = is_free[turn.found]
        _, first = np.unique(turn.true[open_], return_index=True)
        is_free[turn.found[open_][first]] = False
    return ~is_free


def _detections_take(pairs: Pairs, num_found: int, num_true: int, bar: float) -> Bool[np.ndarray, " N"]:
    """Which detections are right: each in turn takes the best of the truths not yet taken."""
    is_free, is_right = np.ones(num_true, dtype=bool), np.zeros(num_found, dtype=bool)
    for turn in pairs.by_detection(bar):
        open_ = is_free[turn.true]
        found, first = np.unique(turn.found[open_], return_index=True)
        is_right[found] = True
        is_free[turn.true[open_][first]] = False
    return is_right


def _stepwise_ap(is_right: Bool[np.ndarray, " N"], num_true: int) -> float:
    """The precisions at the right detections, summed and divided by the number of truths."""
    precision = np.cumsum(is_right) / np.arange(1, len(is_right) + 1)
    return float(precision[is_right].sum()) / num_true


def _interpolated_ap(is_right: Bool[np.ndarray, " N"], num_true: int) -> float:
    """The area under the precision that is reached at this recall or a larger one."""
    precision = np.cumsum(is_right) / np.arange(1, len(is_right) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float(highest[is_right].sum()) / num_true
