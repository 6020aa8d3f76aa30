"""What files of detections come to: mAP by the protocols, AP by class, and what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from attcell.data.truth import SLACK_SECONDS, DetectionTruth, video_named
from attcell.errors import first_lines
from attcell.metrics.detection import DetectionMetrics, detection_map
from attcell.results.detections import DetectionFile
from attcell.results.tables import csv_table
from attcell.types import Detection

RULES = {
    "thumos": "IoU above the threshold, each truth takes its best free detection, AP not interpolated",
    "activitynet": "IoU at least the threshold, in the order of scores, AP interpolated, no ambiguity",
}
RANGES = ((0.1, 0.5, 0.1), (0.3, 0.7, 0.1), (0.1, 0.7, 0.1), (0.5, 0.95, 0.05))  # the means that papers print


@dataclass(frozen=True)
class DetectionResult:
    """What one file of detections came to.

    Attributes:
        source: the file.
        truth: what it was judged by.
        figures: one for each protocol.
        num_detections: of the file, after exclusions.
        num_empty: videos of the truth in which nothing was found.
        faults: what is wrong in the file, in words.
    """

    source: str
    truth: DetectionTruth
    figures: tuple[DetectionMetrics, ...]
    num_detections: int
    num_empty: int
    faults: tuple[str, ...]

    def protocol(self, figures: DetectionMetrics) -> str:
        """How the figures were made."""
        truth, shown = self.truth, int((figures.num_truths > 0).sum())
        classes = f"{shown} classes"
        if shown < len(figures.labels):
            classes += f" ({len(figures.labels) - shown} without a true action left out)"
        parts = [
            f"protocol: {figures.protocol}, {RULES[figures.protocol]}",
            f"{truth.subset} of {truth.source}: {len(truth.durations)} videos, {len(truth.actions)} true "
            f"actions, mean over {classes}; nothing found in {self.num_empty} videos",
            f"excluded {', '.join(truth.excluded) or 'none'}",
        ]
        if figures.protocol == "thumos":
            ignored = ", ".join(map(str, figures.num_ignored.tolist()))
            parts.append(
                f"{len(truth.ambiguous)} ambiguous intervals, unmatched detections that touch them left out "
                f"({ignored})"
            )
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "file": self.source,
            "detections": self.num_detections,
            "videos_without_detection": self.num_empty,
            "faults": list(self.faults),
            "protocols": [
                {
                    "protocol": figures.protocol,
                    "words": self.protocol(figures),
                    "thresholds": list(figures.thresholds),
                    "mAP": _plain(figures.mean_ap),
                    "means": means(figures),
                    "classes": {
                        label: {
                            "AP": _plain(figures.average_precision[number]),
                            "true_actions": int(figures.num_truths[number]),
                            "detections": int(figures.num_detections[number]),
                        }
                        for number, label in enumerate(figures.labels)
                    },
                }
                for figures in self.figures
            ],
        }


def detection_result(
    found: DetectionFile, truth: DetectionTruth, thresholds: Sequence[float], protocols: Sequence[str]
) -> DetectionResult:
    """The mAP of a file's detections by each protocol, and what is wrong in the file.

    Raises:
        CallError: another protocol or threshold.
    """
    kept, faults = matched(found, truth)
    figures = [
        detection_map(
            truth.actions, kept, thresholds, protocol, ambiguous=truth.ambiguous, labels=truth.labels
        )
        for protocol in protocols
    ]
    num_empty = len(truth.durations.keys() - {of.video_id for of in kept})
    return DetectionResult(found.source, truth, tuple(figures), len(kept), num_empty, tuple(faults))


def means(figures: DetectionMetrics) -> dict[str, float]:
    """The usual means over thresholds, as far as all of their thresholds are there."""
    values = {round(bar, 6): of for bar, of in zip(figures.thresholds, figures.mean_ap, strict=True)}
    found = {}
    for low, high, step in RANGES:
        bars = [round(low + n * step, 6) for n in range(round((high - low) / step) + 1)]
        if all(bar in values for bar in bars):
            found[f"{low:g}-{high:g}"] = float(np.mean([values[bar] for bar in bars]))
    return found


def detection_csv(results: Sequence[DetectionResult]) -> str:
    """A line for each file, protocol and class, and one for the mean."""
    thresholds = results[0].figures[0].thresholds
    rows = []
    for result in results:
        for of in result.figures:
            lines = [("mAP", of.num_truths.sum(), of.num_detections.sum(), of.mean_ap)]
            lines += list(zip(of.labels, of.num_truths, of.num_detections, of.average_precision, strict=True))
            for label, true, found, values in lines:
                cells = ["" if np.isnan(value) else f"{value:.6f}" for value in values]
                rows.append([result.source, of.protocol, label, true, found, *cells])
    head = ["file", "protocol", "class", "true_actions", "detections"]
    return csv_table([*head, *(f"AP@{threshold:g}" for threshold in thresholds)], rows)


def _plain(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def matched(found: DetectionFile, truth: DetectionTruth) -> tuple[list[Detection], list[str]]:
    """The detections with the truth's names for their videos, and what is wrong with them, line by line.

    A file names a video by its path: it is the one of the truth whose name the path ends with, with or
    without suffix. Of excluded videos nothing stays. Detections of unknown classes do not count; those in
    videos that the truth does not name, or outside of their video, count as they are.
    """
    names = {video: video_named(video, truth.durations) for video in found.videos}
    excluded = {video for video in found.videos if video_named(video, truth.excluded) is not None}
    kept: list[Detection] = []
    foreign, outside = [], []
    for of, place in zip(found.detections, found.places, strict=True):
        name = names[of.video_id]
        if of.video_id in excluded:
            continue
        if of.label not in truth.labels:
            foreign.append(f"{place}: {of.label}")
            continue
        length = (truth.durations[name] if name else None) or found.durations.get(of.video_id)
        if of.start_seconds < 0 or (length is not None and of.end_seconds > length + SLACK_SECONDS):
            where = "" if length is None else f" in a video of {length:g} s"
            outside.append(f"{place}: {of.start_seconds:g} to {of.end_seconds:g} s{where}")
        kept.append(replace(of, video_id=name or of.video_id))
    unknown = [video for video, name in names.items() if name is None and video not in excluded]
    faults = {
        f"detections of classes that {truth.source} does not have; they do not count": foreign,
        "detections reach outside of their video; they count as they are": outside,
        f"videos that {truth.source} does not have in {truth.subset}; what was found there counts as wrong": (
            _with_places(unknown, found)
        ),
        "videos are named in more ways than one; what was found counts for each": _named_twice(names),
        "videos could not be read; nothing was found there": [
            f"{video}: {reason}" for video, reason in found.failed.items()
        ],
    }
    return kept, [
        "\n".join([f"{len(lines)} {message}:", *first_lines(lines)])
        for message, lines in faults.items()
        if lines
    ]


def _with_places(videos: Sequence[str], found: DetectionFile) -> list[str]:
    """Videos, each with the place of its first detection in the file."""
    places: dict[str, str] = {}
    for of, place in zip(found.detections, found.places, strict=True):
        places.setdefault(of.video_id, place)
    return [f"{places.get(video, found.source)}: {video}" for video in videos]


def _named_twice(names: dict[str, str | None]) -> list[str]:
    """The truth's videos that the file knows by several names."""
    called: dict[str, list[str]] = {}
    for video, name in names.items():
        if name is not None:
            called.setdefault(name, []).append(video)
    return [f"{name}: {' and '.join(videos)}" for name, videos in called.items() if len(videos) > 1]
