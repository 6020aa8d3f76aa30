"""Which detections overlap which truths of their class and video, without looking at all pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

_PAIRS_AT_ONCE = 4_000_000  # pairs that are looked at together, to bound the memory

Intervals = Float[np.ndarray, "P 2"]
IoU = Callable[[Intervals, Intervals], Float[np.ndarray, " P"]]


@dataclass(frozen=True, eq=False)
class Times:
    """N intervals in time: numbers of their videos and classes, and (N, 2) start and end."""

    videos: Int[np.ndarray, " N"]
    labels: Int[np.ndarray, " N"]
    intervals: Float[np.ndarray, "N 2"]


@dataclass(frozen=True, eq=False)
class Turn:
    """The pairs of truths, or of detections, that take at the same time, being of different groups."""

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
        """Pairs whose IoU is a bar or more, the detections' turns one after another; the best truth first, of
        equal ones the later.
        """
        kept = np.flatnonzero(self.iou >= bar)
        order = kept[np.lexsort((-self.true[kept], -self.iou[kept], self.found[kept], self.found_turn[kept]))]
        yield from self._turns(order, self.found_turn)

    def _turns(self, order: Int[np.ndarray, " Q"], turn: Int[np.ndarray, " P"]) -> Iterator[Turn]:
        edges = np.flatnonzero(np.diff(turn[order], prepend=-1, append=-1))
        for start, end in pairwise(edges.tolist()):
            yield Turn(self.true[order[start:end]], self.found[order[start:end]])


def overlapping_pairs(true: Times, found: Times, iou_of: IoU) -> Pairs:
    """All pairs of one class and video that overlap, with their IoU."""
    num_labels = int(max(true.labels.max(initial=0), found.labels.max(initial=0))) + 1
    groups = [of.videos * num_labels + of.labels for of in (true, found)]
    turns = [_places_in_group(of) for of in groups]
    kept: list[tuple[np.ndarray, ...]] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for rows, columns in _candidates(groups[0], true.intervals, groups[1], found.intervals):
        iou = iou_of(true.intervals[rows], found.intervals[columns])
        overlap = iou > 0
        kept.append((rows[overlap], columns[overlap], iou[overlap]))
    rows, columns, iou = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    return Pairs(rows, columns, iou, turns[0][rows], turns[1][columns])


def touching(found: Times, ambiguous: Times) -> Bool[np.ndarray, " N"]:
    """Which detections overlap any ambiguous interval of their video."""
    touches = np.zeros(len(found.videos), dtype=bool)
    for rows, columns in _candidates(ambiguous.videos, ambiguous.intervals, found.videos, found.intervals):
        touches[columns[_shared(ambiguous.intervals[rows], found.intervals[columns]) > 0]] = True
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
    parts = np.cumsum(counts) // _PAIRS_AT_ONCE
    for some in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(parts)) + 1):
        own_counts = counts[some]
        offsets = np.arange(own_counts.sum()) - np.repeat(np.cumsum(own_counts) - own_counts, own_counts)
        yield np.repeat(rows[some], own_counts), order[np.repeat(begin[some], own_counts) + offsets]


def iou_of_lengths(one: Intervals, other: Intervals) -> Float[np.ndarray, " P"]:
    """Intersection over union of intervals, row by row; the union is the lengths less the intersection."""
    shared = _shared(one, other)
    return _ratio(shared, (one[:, 1] - one[:, 0]) + (other[:, 1] - other[:, 0]) - shared)


def iou_of_hull(one: Intervals, other: Intervals) -> Float[np.ndarray, " P"]:
    """The same; the union is the stretch that holds both. Where they overlap, rounding alone differs."""
    return _ratio(
        _shared(one, other), np.maximum(one[:, 1], other[:, 1]) - np.minimum(one[:, 0], other[:, 0])
    )


def _shared(one: Intervals, other: Intervals) -> Float[np.ndarray, " P"]:
    return np.maximum(np.minimum(one[:, 1], other[:, 1]) - np.maximum(one[:, 0], other[:, 0]), 0)


def _ratio(shared: Float[np.ndarray, " P"], union: Float[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
    """Shared over union; 0 where both intervals are empty."""
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
