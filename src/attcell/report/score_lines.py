"""What ``attcell score`` prints, line by line. It needs no model, and so imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from attcell.data.scores import Scores
from attcell.files import write_json, write_text
from attcell.metrics.by_class import by_gain
from attcell.metrics.recognition import mean_class_accuracy, top_k_accuracy

AP_RULES = "AP not interpolated, ties count together, unread videos last"


class FileReport(Protocol):
    """The figures of one file."""

    def lines(self) -> list[str]:
        """For people."""

    def to_dict(self) -> dict[str, Any]:
        """For programs."""


def publish(
    reports: Sequence[FileReport], as_csv: Callable[[], str], csv: Path | None, json_path: str | None
) -> None:
    """Print the figures of files, unless JSON goes to stdout, and write them as CSV and JSON if asked for."""
    if json_path != "-":
        print("\n\n".join("\n".join(report.lines()) for report in reports))
    if csv is not None:
        write_text(csv, as_csv())
    if json_path is not None:
        write_json(json_path, {"files": [report.to_dict() for report in reports]})
    written = [str(path) for path in (csv, json_path) if path is not None]
    if written and json_path != "-":
        print(f"written: {', '.join(written)}")


def figure_line(name: str, found: Scores) -> str:
    """Accuracy where each video has one class, else mAP.

    Raises:
        DataError: a video whose classes the file does not say.
    """
    if found.has_one_class_each:
        return accuracy_line(name, found.scores, found.true_classes())
    from attcell.metrics.multi_label import mean_average_precision  # scikit-learn takes two seconds

    mean, number = mean_average_precision(found.scores, found.truth_matrix())
    if number == 0:
        return f"{name}: no mAP, for no video is of any of the {len(found.labels)} classes"
    return f"{name}: mAP {100 * mean:.2f} % over {number} of {len(found.labels)} classes"


def accuracy_line(name: str, scores: np.ndarray, truth: np.ndarray) -> str:
    """Top-1 and mean class accuracy of (N, A) scores."""
    top1, mean = top_k_accuracy(scores, truth, 1), mean_class_accuracy(scores, truth)
    return f"{name}: top1 {100 * top1:.2f} %, mean class accuracy {100 * mean:.2f} %"


def class_lines(
    labels: Sequence[str], counts: np.ndarray, accuracies: np.ndarray, rival: np.ndarray | None = None
) -> list[str]:
    """A line for each class that has videos, best first: its accuracy, and the gain over a rival's."""
    gains = accuracies if rival is None else accuracies - rival
    width = max(len(label) for label in labels)
    lines = []
    for place in by_gain(gains):
        if np.isnan(accuracies[place]):
            continue
        gain = "" if rival is None else f", {gains[place]:+.2f} against {rival[place]:.2f} %"
        lines.append(
            f"{labels[place]:{width}} {accuracies[place]:6.2f} % of {int(counts[place])} videos{gain}"
        )
    gain = "" if rival is None else f", {np.nanmean(gains):+.2f} against {np.nanmean(rival):.2f} %"
    return [*lines, f"mean of {len(lines)} classes: {np.nanmean(accuracies):.2f} %{gain}"]
