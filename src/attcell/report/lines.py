"""What the commands print of their results, line by line.

``attcell score`` needs no model, so nothing heavy is imported here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from attcell.report.page.timeline import clock, worth_showing
from attcell.results.detection_metrics import DetectionResult, means
from attcell.results.recognition_metrics import ClassAccuracies, MainMetrics, RecognitionResult
from attcell.types import Prediction

if TYPE_CHECKING:
    from attcell.config.beside import PublishedSection
    from attcell.inference.evaluate import Evaluation
    from attcell.inference.localization import AttentionMetrics
    from attcell.metrics.detection import DetectionMetrics


def prediction_line(prediction: Prediction) -> str:
    """The three best classes of a video, and when the network attended most."""
    best = ", ".join(f"{label} {100 * score:.1f} %" for label, score in prediction.top(3))
    attention = prediction.temporal_attention
    if attention.max() == attention.min():  # SAN and averaging weigh all segments alike
        return f"{prediction.video}: {best}"
    start, end = prediction.segments_seconds[int(attention.argmax())]
    most = "most attention" if prediction.explanation is None else "most of it"
    return f"{prediction.video}: {best} ({most} at {start:.1f}-{end:.1f} s)"


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


def interval_words(interval: tuple[float, float]) -> str:
    """In percent, as 78.1 to 88.0."""
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def _published_line(published: PublishedSection, found: dict[str, float]) -> str:
    value = "a number that we do not have" if published.value is None else f"{published.value:.1f} %"
    ours = found.get(published.figure)
    beside = "" if ours is None or published.value is None else f", ours {ours - published.value:+.1f} points"
    note = f"; {published.note}" if published.note else ""
    return f"published {published.figure}: {value} ({published.source}, {published.row}){beside}{note}"


def main_metrics_line(name: str, found: MainMetrics) -> str:
    """Accuracy where each video has one class, else mAP."""
    metrics = [f"{key.replace('_', ' ')} {value:.2f} %" for key, value in found.percent.items()]
    if not metrics:
        return f"{name}: no mAP, because no video is of any of the {found.num_classes} classes"
    counted = f" over {found.num_present} of {found.num_classes} classes" if "mAP" in found.percent else ""
    return f"{name}: {', '.join(metrics)}{counted}"


def recognition_lines(found: RecognitionResult) -> list[str]:
    """The metrics, the AP of each class that has positives, best first, and the protocol."""
    metrics = ", ".join(f"{name.replace('_', ' ')} {value:.2f} %" for name, value in found.figures.items())
    width = max(len(label) for label in found.labels)
    per_class = [
        f"{found.labels[place]:{width}} AP {found.average_precisions[place]:6.2f} % of "
        f"{int(found.positives[place])} positives"
        for place in found.order
        if found.positives[place]
    ]
    counted = f"{found.num_videos} videos, unread {len(found.unread)}"
    protocol = ", ".join([counted, *found.protocol.values()])
    return [f"{found.source}: {metrics}", *per_class, f"protocol: {protocol}"]


def class_lines(found: ClassAccuracies) -> list[str]:
    """A line for each class that has videos, best first: its accuracy, and the gain over a rival's."""

    def against(gain: float, rival: float) -> str:
        return "" if found.rival is None else f", {gain:+.2f} against {rival:.2f} %"

    width = max(len(label) for label in found.labels)
    lines = []
    for place in found.present:
        gain = against(found.gains[place], np.nan if found.rival is None else found.rival[place])
        share = f"{found.own[place]:6.2f} % of {int(found.counts[place])} videos"
        lines.append(f"{found.labels[place]:{width}} {share}{gain}")
    own, gained, rival = found.means
    return [*lines, f"mean of {len(lines)} classes: {own:.2f} %{against(gained, rival)}"]


def file_detection_lines(found: DetectionResult) -> list[str]:
    """A table of AP for each protocol, with the protocol in words below it."""
    lines = [f"{found.source}: {found.num_detections} detections"]
    if not found.num_detections:
        lines[0] += "; with none, mAP is 0"
    for figures in found.figures:
        lines += ["", *_precision_table(figures), found.protocol(figures)]
    return lines


def _precision_table(figures: DetectionMetrics) -> list[str]:
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


def attention_lines(
    figures: Mapping[str, AttentionMetrics], num_videos: int, num_left_out: int, truth: str
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
