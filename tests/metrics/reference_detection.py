"""Both official programs, slow and plain, step by step in their own order of work.

*THUMOS*: TH14evalDet.m with its TH14eventdetpr and intervaloverlapvalseconds. *ActivityNet*:
eval_detection.py with its utils.py. Their sorts are made stable where they are not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attcell.types import ActionInstance, Detection

Interval = tuple[float, float]


def span(of: ActionInstance | Detection) -> Interval:
    return of.start_seconds, of.end_seconds


def average_precision(
    truths: Sequence[ActionInstance],
    detections: Sequence[Detection],
    ambiguous: Sequence[ActionInstance],
    label: str,
    bar: float,
    protocol: str,
) -> float:
    """AP of one class at one threshold; NaN without a truth."""
    truths = [of for of in truths if of.label == label]
    found = [of for of in detections if of.label == label]
    if not truths:
        return float("nan")
    if protocol == "thumos":
        return thumos_ap(truths, found, ambiguous, bar)
    return activitynet_ap(truths, found, bar)


def thumos_overlap(one: Interval, other: Interval) -> float:
    """The shared stretch over the one that holds both."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared / (max(one[1], other[1]) - min(one[0], other[0])) if shared > 0 else 0.0


def thumos_ap(
    truths: Sequence[ActionInstance],
    found: Sequence[Detection],
    ambiguous: Sequence[ActionInstance],
    bar: float,
) -> float:
    """Video by video in the order of their names; what counts of each is joined, and sorted by the scores."""
    scores: list[float] = []
    flags: list[bool] = []
    named: list[ActionInstance | Detection] = [*truths, *found, *ambiguous]
    for video in sorted({of.video_id for of in named}):
        own = [of for of in truths if of.video_id == video]
        unclear = [of for of in ambiguous if of.video_id == video]
        ranked = sorted((of for of in found if of.video_id == video), key=lambda of: -of.score)
        free = list(range(len(ranked)))
        for truth in own:
            overlaps = [thumos_overlap(span(truth), span(ranked[place])) for place in free]
            if overlaps and max(overlaps) > bar:
                del free[overlaps.index(max(overlaps))]
        for place, of in enumerate(ranked):
            touches = sum(thumos_overlap(span(by), span(of)) for by in unclear)
            if place not in free or touches == 0:
                scores.append(of.score)
                flags.append(place not in free)
    total, right = 0.0, 0
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    for count, place in enumerate(order, start=1):
        if flags[place]:
            right += 1
            total += right / count
    return total / len(truths)


def activitynet_overlap(one: Interval, other: Interval) -> float:
    """The shared stretch over both lengths less it; 0 of empty intervals, where the program has NaN."""
    shared = max(min(one[1], other[1]) - max(one[0], other[0]), 0.0)
    union = (other[1] - other[0]) + (one[1] - one[0]) - shared
    return shared / union if union > 0 else 0.0


def activitynet_ap(truths: Sequence[ActionInstance], found: Sequence[Detection], bar: float) -> float:
    """Detection by detection from the highest score, the later of equal ones first; interpolated."""
    order = np.argsort([of.score for of in found], kind="stable")[::-1]
    taken: set[int] = set()
    is_right = []
    for of in (found[place] for place in order.tolist()):
        own = [place for place, truth in enumerate(truths) if truth.video_id == of.video_id]
        overlaps = [activitynet_overlap(span(of), span(truths[place])) for place in own]
        hit = None
        for best in np.argsort(overlaps, kind="stable")[::-1].tolist():
            if overlaps[best] < bar:
                break
            if own[best] not in taken:
                hit = own[best]
                break
        is_right.append(hit is not None)
        if hit is not None:
            taken.add(hit)
    recall, precision = [0.0], [0.0]
    for count in range(1, len(found) + 1):
        recall.append(sum(is_right[:count]) / len(truths))
        precision.append(sum(is_right[:count]) / count)
    recall.append(1.0)
    precision.append(0.0)
    for place in reversed(range(len(precision) - 1)):
        precision[place] = max(precision[place], precision[place + 1])
    steps = range(1, len(recall))
    return sum((recall[n] - recall[n - 1]) * precision[n] for n in steps)


def mean_ap(
    truths: Sequence[ActionInstance],
    detections: Sequence[Detection],
    thresholds: Sequence[float],
    protocol: str,
    ambiguous: Sequence[ActionInstance] = (),
) -> list[float]:
    labels = sorted({of.label for of in truths})
    return [
        float(np.mean([average_precision(truths, detections, ambiguous, of, bar, protocol) for of in labels]))
        for bar in thresholds
    ]
