"""``attcell score recognition``: what a file of scores comes to, class by class, with the rules."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attcell.data.scores import Scores
from attcell.errors import DataError
from attcell.metrics.by_class import by_gain
from attcell.metrics.figures import recognition_figures
from attcell.metrics.multi_label import average_precisions
from attcell.report.score_lines import AP_RULES

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
        by_class = [
            f"{self.labels[place]:{width}} AP {self.average_precisions[place]:6.2f} % of "
            f"{int(self.positives[place])} positives"
            for place in by_gain(self.average_precisions)
            if self.positives[place]
        ]
        counted = f"{self.num_videos} videos, unread {len(self.unread)}"
        return [
            f"{self.source}: {figures}",
            *by_class,
            f"protocol: {', '.join([counted, *self.protocol.values()])}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """The same in plain types that ``json.dumps`` takes; an AP that does not exist is None."""
        by_class = [
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
            "classes": by_class,
            "protocol": self.protocol,
        }


def recognition_report(found: Scores) -> RecognitionReport:
    """The figures of :func:`attcell.metrics.figures.recognition_figures`, and mAP also where each video has
    one class.

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
