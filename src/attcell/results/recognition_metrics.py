"""What files of scores come to: accuracy and mAP by their rules, in all and class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attcell.errors import DataError
from attcell.metrics.recognition import (
    average_precisions,
    by_gain,
    class_accuracies,
    mean_average_precision,
    mean_class_accuracy,
    recognition_metrics,
    top_k_accuracy,
)
from attcell.results.scores import Scores
from attcell.results.tables import csv_table

AP_RULES = "AP not interpolated, ties count together, unread videos last"
ACCURACY_RULES = "accuracy: unread videos are wrong, of tied classes the first comes first"
TOP_RULES = "top k: any true class among the k best, unread videos are wrong"


@dataclass(frozen=True)
class MainMetrics:
    """The few metrics of scores that fit a line.

    Attributes:
        percent: name → percent: ``top1`` and ``mean_class_accuracy`` where each video has one class, else
            ``mAP``, which is not there if no video is of any class.
        num_present: how many classes have a video.
        num_classes: A.
    """

    percent: dict[str, float]
    num_present: int
    num_classes: int


def main_metrics(found: Scores) -> MainMetrics:
    """Accuracy where each video has one class, else mAP.

    Raises:
        DataError: a video whose classes the file does not say.
    """
    truth = found.truth_matrix()
    if found.has_one_class_each:
        classes = found.true_classes()
        metrics = {
            "top1": top_k_accuracy(found.scores, classes, 1),
            "mean_class_accuracy": mean_class_accuracy(found.scores, classes),
        }
    else:
        mean, number = mean_average_precision(found.scores, truth)
        metrics = {"mAP": mean} if number else {}
    percent = {name: 100 * value for name, value in metrics.items()}
    return MainMetrics(percent, int(truth.any(axis=0).sum()), len(found.labels))


@dataclass(frozen=True)
class ClassAccuracies:
    """Accuracy class by class, of one model or beside a rival's.

    Attributes:
        labels: the A classes.
        counts: (A,) videos of each.
        own: (A,) percent; NaN for a class without videos.
        rival: (A,) the rival's; None without one.
    """

    labels: Sequence[str]
    counts: np.ndarray
    own: np.ndarray
    rival: np.ndarray | None = None

    @property
    def gains(self) -> np.ndarray:
        """(A,) percent, with a rival points above it; NaN for a class without videos."""
        return self.own if self.rival is None else self.own - self.rival

    @property
    def order(self) -> list[int]:
        """The classes, of the largest gain first; those without videos last."""
        return by_gain(self.gains)

    @property
    def present(self) -> list[int]:
        """The classes that have videos, in the same order."""
        return [place for place in self.order if not np.isnan(self.gains[place])]

    @property
    def means(self) -> tuple[float, float, float]:
        """The means over these of the accuracy, of the gain, and of the rival's accuracy (or NaN)."""
        rival = np.nan if self.rival is None else float(np.nanmean(self.rival))
        return float(np.nanmean(self.own)), float(np.nanmean(self.gains)), rival

    def to_csv(self) -> str:
        """Class, videos and accuracy in percent, with a rival its accuracy and the gain too."""
        rows = []
        for place in self.order:
            values = [self.own[place]]
            if self.rival is not None:
                values += [self.rival[place], self.gains[place]]
            said = ["" if np.isnan(value) else f"{value:.4f}" for value in values]
            rows.append([self.labels[place], int(self.counts[place]), *said])
        beside = ["rival", "gain"] if self.rival is not None else []
        return csv_table(["class", "videos", "accuracy", *beside], rows)


def class_accuracies_of(found: Scores, rival: Scores | None = None) -> ClassAccuracies:
    """Accuracy class by class of aligned scores of videos with one class each.

    Raises:
        DataError: a video whose class the file does not say, or that has none or several.
    """
    truth = found.true_classes()
    counts = np.bincount(truth, minlength=len(found.labels))
    others = None if rival is None else class_accuracies(rival.scores, truth)
    return ClassAccuracies(found.labels, counts, class_accuracies(found.scores, truth), others)


@dataclass(frozen=True)
class RecognitionResult:
    """What one file of scores came to.

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

    @property
    def order(self) -> list[int]:
        """The classes, best first; those without positives last."""
        return by_gain(self.average_precisions)

    def to_dict(self) -> dict[str, Any]:
        """In plain types that ``json.dumps`` takes; an AP that does not exist is None."""
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


def recognition_result(found: Scores) -> RecognitionResult:
    """The figures of :func:`attcell.metrics.recognition.recognition_metrics`, and mAP also where each
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
    figures = recognition_metrics(found.scores, truth, multi_label=several)
    figures["mAP"] = float(np.nanmean(precisions))
    ap_rules = f"{AP_RULES}, mean over {num_there} of {len(found.labels)} classes with positives"
    if several:
        num_none = int((~truth.any(axis=1)).sum())
        top = f"no top k, because {num_none} videos are of none of the classes" if num_none else TOP_RULES
        rules = {"classes": "any number of classes a video", "ap": ap_rules, "top": top}
    else:
        rules = {"classes": "one class a video", "accuracy": ACCURACY_RULES, "ap": ap_rules}
    return RecognitionResult(
        found.source,
        found.labels,
        len(found.videos),
        tuple(video for video, read in zip(found.videos, found.is_read(), strict=True) if not read),
        {name: 100 * value for name, value in figures.items()},
        100 * precisions,
        truth.sum(axis=0),
        rules,
    )


def recognition_csv(results: Sequence[RecognitionResult]) -> str:
    """A row for each file and class: file, class, positives, AP in percent (empty without positives)."""
    rows = []
    for result in results:
        for place in result.order:
            value = result.average_precisions[place]
            said = "" if np.isnan(value) else f"{value:.4f}"
            rows.append([result.source, result.labels[place], int(result.positives[place]), said])
    return csv_table(["file", "class", "positives", "ap"], rows)
