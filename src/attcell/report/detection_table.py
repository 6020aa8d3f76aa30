"""What ``attcell score detection`` says: mAP by both protocols, AP by class, and what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attcell.data.detection_truth import DetectionTruth
from attcell.metrics import DetectionFigures

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
