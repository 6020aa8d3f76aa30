"""What the commands print of their results, line by line."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from attcell._files import write_json, write_text
from attcell.config.schema import PublishedSection
from attcell.inference.evaluate import Evaluation
from attcell.inference.localization import AttentionFigures
from attcell.metrics.recognition import by_gain, mean_class_accuracy, top_k_accuracy
from attcell.report.page.timeline import clock, worth_showing
from attcell.results.scores import Scores
from attcell.types import Prediction


def prediction_line(prediction: Prediction) -> str:
    """The three best classes of a video, and when the network looked most."""
    best = ", ".join(f"{label} {100 * score:.1f} %" for label, score in prediction.top(3))
    attention = prediction.temporal_attention
    if attention.max() == attention.min():  # SAN and averaging look at all segments alike
        return f"{prediction.video}: {best}"
    start, end = prediction.segments_seconds[int(attention.argmax())]
    return f"{prediction.video}: {best} (most attention at {start:.1f}-{end:.1f} s)"


def detection_lines(prediction: Prediction, most: int = 10) -> list[str]:
    """The best of the actions found in a video, best first."""
    found = prediction.detections or ()
    shown = worth_showing(found)[:most]
    lines = [f"{prediction.video}: {len(shown)} {'action' if len(shown) == 1 else 'actions'}"]
    for of in shown:
        lines.append(f"  {clock(of.start_seconds)} to {clock(of.end_seconds)}  {of.label}  {of.score:.3g}")
    hidden = len(found) - len(shown)
    return [*lines, f"  and {hidden} more of lower scores"] if hidden else lines


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """The figures of a test, the paper's beside them, and the protocol that made ours."""
    found = evaluation.figures()
    figures = [f"{name.replace('_', ' '):20} {value:6.2f} %" for name, value in found.items()]
    protocol = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in evaluation.protocol.items())
    published = (_published_line(one, found) for one in evaluation.published)
    return [*figures, *published, f"protocol: {protocol}"]


def _published_line(published: PublishedSection, found: dict[str, float]) -> str:
    value = "a number that we do not have" if published.value is None else f"{published.value:.1f} %"
    ours = found.get(published.figure)
    beside = "" if ours is None or published.value is None else f", ours {ours - published.value:+.1f} points"
    return f"published {published.figure}: {value} ({published.source}, {published.row}){beside}"


# What ``attcell score`` prints, line by line. It needs no model, and so imports nothing heavy.

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
    from attcell.metrics.recognition import mean_average_precision

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


# What ``attcell score attention`` prints.


def attention_lines(
    figures: Mapping[str, AttentionFigures], num_videos: int, num_left_out: int, truth: str
) -> list[str]:
    """A line for each stream, and the protocol."""
    width = max(6, *map(len, figures))
    lines = [f"{'stream':{width}}  pointing (chance)  mass in the boxes (chance)"]
    for name, of in figures.items():
        lines.append(
            f"{name:{width}}  {_percent(of.pointing)} ({_percent(of.pointing_chance)})    "
            f"{_percent(of.mass)} ({_percent(of.mass_chance)})"
        )
    one = next(iter(figures.values()))
    if one.num_videos:
        lines.append(
            f"temporal scores: ROC area {one.auc:.3f} (chance 0.500) over {one.num_videos} videos with "
            "action and other time"
        )
    lines.append(
        f"protocol: {num_videos} videos, {num_left_out} left out, {one.num_segments} segments whose frame "
        f"shows action by {truth}; a hit is a strongest region whose centre lies in a box; regions that a "
        "box cuts count by the part inside"
    )
    return lines


def _percent(share: float) -> str:
    return "     –" if math.isnan(share) else f"{100 * share:5.1f}%"
