"""``attcell score recognition``: what a file of scores comes to, class by class, with the rules."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attcell.data.truth import DetectionTruth
from attcell.errors import DataError
from attcell.metrics import DetectionFigures
from attcell.metrics.recognition import average_precisions, by_gain, recognition_figures
from attcell.report.lines import AP_RULES
from attcell.results.scores import Scores

ACCURACY_RULES = "accuracy: unread videos are wrong, of tied classes the first comes first"
TOP_RULES = "top k: any true class among the k best, unread videos are wrong"


@dataclass(frozen=True)
class RecognitionReport:
    """The figures of one file.

    Attributes:
        source: the file's name.
        labels: the A classes.
        num_videos: how many videos count, with those that could not be read.
        unread: the ids of those that could not be read.
        figures: name → percent.
        average_precisions: (A,) in percent; NaN for a class without positives.
        positives: (A,) how many videos are of each class.
        protocol: the rules, by name.
    """

    source: str
    labels: tuple[str, ...]
    num_videos: int
    unread: tuple[str, ...]
    figures: dict[str, float]
    average_precisions: np.ndarray
    positives: np.ndarray
    protocol: dict[str, str]

    def lines(self) -> list[str]:
        """The figures, the AP of each class that has positives, best first, and the protocol."""
        figures = ", ".join(f"{name.replace('_', ' ')} {value:.2f} %" for name, value in self.figures.items())
        width = max(len(label) for label in self.labels)
        per_class = [
            f"{self.labels[place]:{width}} AP {self.average_precisions[place]:6.2f} % of "
            f"{int(self.positives[place])} positives"
            for place in by_gain(self.average_precisions)
            if self.positives[place]
        ]
        counted = f"{self.num_videos} videos, unread {len(self.unread)}"
        return [
            f"{self.source}: {figures}",
            *per_class,
            f"protocol: {', '.join([counted, *self.protocol.values()])}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """The same in plain types that ``json.dumps`` takes; an AP that does not exist is None."""
        per_class = [
            {"class": label, "positives": int(positives), "ap": None if np.isnan(value) else float(value)}
            for label, positives, value in zip(
                self.labels, self.positives, self.average_precisions, strict=True
            )
        ]
        return {
            "file": self.source,
            "videos": self.num_videos,
            "unread": list(self.unread),
            "figures": self.figures,
            "classes": per_class,
            "protocol": self.protocol,
        }


def recognition_report(found: Scores) -> RecognitionReport:
    """The figures of :func:`attcell.metrics.recognition.recognition_figures`, and mAP also where each
    video has one class.

    Raises:
        DataError: a video whose classes the file does not say, or no video is of any class.
    """
    truth = found.truth_matrix()
    num_there = int(truth.any(axis=0).sum())
    if num_there == 0:
        raise DataError(
            f"{found.source}: no video is of any of the {len(found.labels)} classes, so there is no figure; "
            "give the videos' classes"
        )
    precisions = average_precisions(found.scores, truth)
    several = not found.has_one_class_each
    figures = recognition_figures(found.scores, truth, multi_label=several)
    figures["mAP"] = float(np.nanmean(precisions))
    ap_rules = f"{AP_RULES}, mean over {num_there} of {len(found.labels)} classes with positives"
    if several:
        num_none = int((~truth.any(axis=1)).sum())
        top = f"no top k, for {num_none} videos are of none of the classes" if num_none else TOP_RULES
        rules = {"classes": "any number of classes a video", "ap": ap_rules, "top": top}
    else:
        rules = {"classes": "one class a video", "accuracy": ACCURACY_RULES, "ap": ap_rules}
    return RecognitionReport(
        found.source,
        found.labels,
        len(found.videos),
        tuple(video for video, read in zip(found.videos, found.is_read(), strict=True) if not read),
        {name: 100 * value for name, value in figures.items()},
        100 * precisions,
        truth.sum(axis=0),
        rules,
    )


def recognition_csv(reports: Sequence[RecognitionReport]) -> str:
    """A row for each file and class: file, class, positives, AP in percent (empty without positives)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "class", "positives", "ap"])
    for report in reports:
        for place in by_gain(report.average_precisions):
            value = report.average_precisions[place]
            said = "" if np.isnan(value) else f"{value:.4f}"
            writer.writerow([report.source, report.labels[place], int(report.positives[place]), said])
    return text.getvalue()


# What ``attcell score detection`` says: mAP by both protocols, AP by class, and what was counted.

RULES = {
    "thumos": "IoU above the threshold, each truth takes its best free detection, AP not interpolated",
    "activitynet": "IoU at least the threshold, in the order of scores, AP interpolated, no ambiguity",
}
RANGES = ((0.1, 0.5), (0.3, 0.7), (0.1, 0.7))  # the means that papers print


@dataclass(frozen=True)
class DetectionReport:
    """The figures of one file.

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
    figures: tuple[DetectionFigures, ...]
    num_detections: int
    num_empty: int
    faults: tuple[str, ...]

    def lines(self) -> list[str]:
        """For people."""
        lines = [f"{self.source}: {self.num_detections} detections"]
        if not self.num_detections:
            lines[0] += "; with none, mAP is 0"
        for figures in self.figures:
            lines += ["", *_table(figures), self.protocol(figures)]
        return lines

    def protocol(self, figures: DetectionFigures) -> str:
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


def means(figures: DetectionFigures) -> dict[str, float]:
    """The usual means over thresholds, as far as all of their tenths are there."""
    values = {round(bar, 6): of for bar, of in zip(figures.thresholds, figures.mean_ap, strict=True)}
    found = {}
    for low, high in RANGES:
        tenths = [round(n / 10, 6) for n in range(round(10 * low), round(10 * high) + 1)]
        if all(bar in values for bar in tenths):
            found[f"{low:g}-{high:g}"] = float(np.mean([values[bar] for bar in tenths]))
    return found


def detection_csv(reports: Sequence[DetectionReport]) -> str:
    """A line for each file, protocol and class, and one for the mean."""
    bars = reports[0].figures[0].thresholds
    lines = ["file,protocol,class,true_actions,detections," + ",".join(f"AP@{bar:g}" for bar in bars)]
    for report in reports:
        for of in report.figures:
            rows = [("mAP", of.num_truths.sum(), of.num_detections.sum(), of.mean_ap)]
            rows += list(zip(of.labels, of.num_truths, of.num_detections, of.average_precision, strict=True))
            for label, true, found, values in rows:
                cells = ["" if np.isnan(value) else f"{value:.6f}" for value in values]
                head = [_cell(report.source), of.protocol, _cell(label), str(true), str(found)]
                lines.append(",".join([*head, *cells]))
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text


def _plain(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _table(figures: DetectionFigures) -> list[str]:
    width = max(len("activitynet, AP %"), *(len(label) for label in figures.labels))
    lines = [f"{figures.protocol + ', AP %':{width}} " + "".join(f"{bar:>7g}" for bar in figures.thresholds)]
    for number, label in enumerate(figures.labels):
        values = figures.average_precision[number]
        cells = ["      –" if np.isnan(value) else f"{100 * value:7.1f}" for value in values]
        lines.append(f"{label:{width}} " + "".join(cells))
    lines.append(f"{'mAP':{width}} " + "".join(f"{100 * value:7.1f}" for value in figures.mean_ap))
    found = means(figures)
    if found:
        lines.append(
            "mean mAP: " + ", ".join(f"{100 * value:.1f} at {name}" for name, value in found.items())
        )
    return lines
