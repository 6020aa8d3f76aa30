"""Mean average precision of detections in time, by two protocols that do not agree.

*THUMOS* (its TH14evalDet): of each class and video, every truth in its order takes, of the detections still
free, the one that overlaps it most, if their IoU is above the threshold, strictly. Detections that no truth
took and that touch an ambiguous interval are left out; the others are wrong. AP is not interpolated.

*ActivityNet* (its eval_detection.py): of each class, the detections in the order of their scores; each takes
the truth of its video that it overlaps most among those not yet taken, if their IoU is the threshold or more.
AP is interpolated. Ambiguous intervals mean nothing.

*Readings*, where neither says: detections of equal score keep the order in which they are given; of equal
overlaps the detection with the higher score, or the earlier truth, is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

from attcell.errors import CallError
from attcell.types import ActionInstance, Detection

PROTOCOLS = ("thumos", "activitynet")


@dataclass(frozen=True, eq=False)
class DetectionFigures:
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
) -> DetectionFigures:
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
    order = np.argsort(-scores, kind="stable")
    ranked = _times([found[place] for place in order.tolist()], numbers, videos)
    pairs = overlapping_pairs(true, ranked)
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
    return DetectionFigures(
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


# Which detections overlap which truths of their class and video, without looking at all pairs.

AT_ONCE = 4_000_000  # pairs that are looked at together, to bound the memory


@dataclass(frozen=True, eq=False)
class Times:
    """N intervals in time: numbers of their videos and classes, and (N, 2) start and end."""

    videos: Int[np.ndarray, " N"]
    labels: Int[np.ndarray, " N"]
    intervals: Float[np.ndarray, "N 2"]


@dataclass(frozen=True, eq=False)
class Turn:
    """The pairs of truths, or of detections, that take at the same time, for they are of different groups."""

    true: Int[np.ndarray, " P"]
    found: Int[np.ndarray, " P"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Truths and detections of one class and video that overlap.

    Attributes:
        true: which truth.
        found: which detection; these are in the order of their scores.
        iou: of the two.
        true_turn: the truth's place among those of its class and video.
        found_turn: the detection's.
    """

    true: Int[np.ndarray, " P"]
    found: Int[np.ndarray, " P"]
    iou: Float[np.ndarray, " P"]
    true_turn: Int[np.ndarray, " P"]
    found_turn: Int[np.ndarray, " P"]

    def by_truth(self, bar: float) -> Iterator[Turn]:
        """Pairs whose IoU is above a bar, the truths' turns one after another; of a truth the best first."""
        kept = np.flatnonzero(self.iou > bar)
        order = kept[np.lexsort((self.found[kept], -self.iou[kept], self.true[kept], self.true_turn[kept]))]
        yield from self._turns(order, self.true_turn)

    def by_detection(self, bar: float) -> Iterator[Turn]:
        """Pairs whose IoU is a bar or more, the detections' turns one after another; the best truth first."""
        kept = np.flatnonzero(self.iou >= bar)
        order = kept[np.lexsort((self.true[kept], -self.iou[kept], self.found[kept], self.found_turn[kept]))]
        yield from self._turns(order, self.found_turn)

    def _turns(self, order: Int[np.ndarray, " Q"], turn: Int[np.ndarray, " P"]) -> Iterator[Turn]:
        edges = np.flatnonzero(np.diff(turn[order], prepend=-1, append=-1))
        for start, end in pairwise(edges.tolist()):
            yield Turn(self.true[order[start:end]], self.found[order[start:end]])


def overlapping_pairs(true: Times, found: Times) -> Pairs:
    """All pairs of one class and video that overlap, with their IoU."""
    num_labels = int(max(true.labels.max(initial=0), found.labels.max(initial=0))) + 1
    groups = [of.videos * num_labels + of.labels for of in (true, found)]
    turns = [_places_in_group(of) for of in groups]
    kept: list[tuple[np.ndarray, ...]] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for rows, columns in _candidates(groups[0], true.intervals, groups[1], found.intervals):
        iou = interval_iou(true.intervals[rows], found.intervals[columns])
        overlap = iou > 0
        kept.append((rows[overlap], columns[overlap], iou[overlap]))
    rows, columns, iou = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    return Pairs(rows, columns, iou, turns[0][rows], turns[1][columns])


def touching(found: Times, ambiguous: Times) -> Bool[np.ndarray, " N"]:
    """Which detections overlap any ambiguous interval of their video."""
    touches = np.zeros(len(found.videos), dtype=bool)
    for rows, columns in _candidates(ambiguous.videos, ambiguous.intervals, found.videos, found.intervals):
        touches[columns[interval_iou(ambiguous.intervals[rows], found.intervals[columns]) > 0]] = True
    return touches


def _places_in_group(groups: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    """The place of each row among those of its group, in their order."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    lengths = np.diff(np.append(starts, len(groups)))
    places = np.empty(len(groups), dtype=np.int64)
    places[order] = np.arange(len(groups)) - np.repeat(starts, lengths)
    return places


def _candidates(
    groups: Int[np.ndarray, " N"],
    intervals: Float[np.ndarray, "N 2"],
    other_groups: Int[np.ndarray, " M"],
    others: Float[np.ndarray, "M 2"],
) -> Iterator[tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"]]]:
    """Rows and other rows of one group that could overlap, some at a time: no pair that does is missing.

    The other rows, by group and start, lie on one line, each group in a stretch of its own; what could
    overlap a row starts no earlier than the group's longest interval before it, and no later than its end.
    """
    if not len(groups) or not len(others):
        return
    order = np.lexsort((others[:, 0], other_groups))
    names, firsts = np.unique(other_groups[order], return_index=True)
    ends = np.append(firsts[1:], len(order))
    longest = np.maximum.reduceat(others[order, 1] - others[order, 0], firsts)
    rows = np.flatnonzero(np.isin(groups, names))
    place = np.searchsorted(names, groups[rows])
    earliest = min(float(others[:, 0].min()), float(intervals[:, 0].min()))
    stretch = max(float(others[:, 1].max()), float(intervals[:, 1].max())) - earliest + 1.0
    line = np.repeat(np.arange(len(names)), ends - firsts) * stretch + (others[order, 0] - earliest)
    slack = 1e-9 * stretch * (len(names) + 1)  # what adding the stretches may round away
    own = place * stretch + (intervals[rows].T - earliest)
    begin = np.maximum(np.searchsorted(line, own[0] - longest[place] - slack, side="left"), firsts[place])
    stop = np.minimum(np.searchsorted(line, own[1] + slack, side="right"), ends[place])
    counts = np.maximum(stop - begin, 0)
    parts = np.cumsum(counts) // AT_ONCE
    for some in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(parts)) + 1):
        own_counts = counts[some]
        offsets = np.arange(own_counts.sum()) - np.repeat(np.cumsum(own_counts) - own_counts, own_counts)
        yield np.repeat(rows[some], own_counts), order[np.repeat(begin[some], own_counts) + offsets]


# Intervals in time.


def interval_iou(
    one: Float[np.ndarray, "*#shape 2"], other: Float[np.ndarray, "*#shape 2"]
) -> Float[np.ndarray, "*shape"]:
    """Intersection over union of intervals, row by row; 0 where both are empty."""
    shared = np.minimum(one[..., 1], other[..., 1]) - np.maximum(one[..., 0], other[..., 0])
    shared = np.maximum(shared, 0)
    union = (one[..., 1] - one[..., 0]) + (other[..., 1] - other[..., 0]) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
