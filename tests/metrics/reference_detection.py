"""Both detection protocols, slow and plain, as their words say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attcell.types import ActionInstance, Detection

Interval = tuple[float, float]


def iou(one: Interval, other: Interval) -> float:
    shared = max(min(one[1], other[1]) - max(one[0], other[0]), 0)
    union = (one[1] - one[0]) + (other[1] - other[0]) - shared
    return shared / union if union > 0 else 0.0


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
    found = sorted((of for of in detections if of.label == label), key=lambda of: -of.score)
    if not truths:
        return float("nan")
    if protocol == "thumos":
        return thumos_ap(truths, found, ambiguous, bar)
    return activitynet_ap(truths, found, bar)


def thumos_ap(
    truths: Sequence[ActionInstance],
    found: Sequence[Detection],
    ambiguous: Sequence[ActionInstance],
    bar: float,
) -> float:
    """Each truth takes its best free detection; strictly above; Ambiguous ignored; not interpolated."""
    taken: set[int] = set()
    for truth in truths:
        best, most = None, bar
        for place, of in enumerate(found):
            if of.video_id == truth.video_id and place not in taken and iou(span(truth), span(of)) > most:
                best, most = place, iou(span(truth), span(of))
        if best is not None:
            taken.add(best)
    right, counted, total = 0, 0, 0.0
    for place, of in enumerate(found):
        if place in taken:
            right, counted = right + 1, counted + 1
            total += right / counted
        elif not any(of.video_id == by.video_id and iou(span(by), span(of)) > 0 for by in ambiguous):
            counted += 1
    return total / len(truths)


def activitynet_ap(truths: Sequence[ActionInstance], found: Sequence[Detection], bar: float) -> float:
    """In score order each detection takes the best truth not yet taken; at least; interpolated."""
    taken: set[int] = set()
    is_right = []
    for of in found:
        best, most = None, -1.0
        for place, truth in enumerate(truths):
            overlap = iou(span(truth), span(of))
            if of.video_id == truth.video_id and place not in taken and bar <= overlap and overlap > most:
                best, most = place, overlap
        is_right.append(best is not None)
        if best is not None:
            taken.add(best)
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
