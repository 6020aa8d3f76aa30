"""Accuracy class by class as a picture and as CSV: of one model, or the gain of one over another."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from attcell.files import write_text
from attcell.metrics.by_class import by_gain
from attcell.report.confusion import shortened
from attcell.report.figures import ACCENT, FAINT, INK, SOFT, new_figure, save, text_style

_ROW_INCHES = 0.21
_LARGEST_INCHES = 40.0


def by_class_picture(
    labels: Sequence[str],
    accuracies: np.ndarray,
    path: Path,
    title: str,
    rival: np.ndarray | None = None,
    names: Sequence[str] = ("this", "rival"),
) -> None:
    """Write a PNG with a bar for each class: the accuracy, or with a rival the gain over it, best first.

    Args:
        labels: the A classes.
        accuracies: (A,) percent; NaN for a class without videos, which is left out.
        path: the PNG; written whole or not at all.
        title: what the figure is about.
        rival: (A,) percent of the model that is compared with.
        names: of the model and its rival.
    """
    values = accuracies if rival is None else accuracies - rival
    order = [place for place in by_gain(values) if not np.isnan(values[place])]
    row = min(_ROW_INCHES, _LARGEST_INCHES / max(1, len(order)))
    side, above, below = row * len(order), 0.75, 0.55
    font = min(9.0, row * 72 * 0.72)
    room = 0.3 + min(40, max(len(label) for label in labels)) * font * 0.6 / 72
    width, height = room + 6.0, above + side + below
    figure = new_figure(width, height, dpi=120)
    axes = figure.add_axes((room / width, below / height, 5.6 / width, side / height))
    places = np.arange(len(order))
    colours = [ACCENT if values[place] >= 0 else SOFT for place in order]
    axes.barh(places, values[order], color=colours, height=0.72)
    axes.set_yticks(places, [shortened(labels[place]) for place in order], **text_style(font))
    axes.set_ylim(len(order) - 0.5, -0.5)
    lowest = min(0.0, float(np.min(values[order], initial=0.0)))
    axes.set_xlim(1.12 * lowest, 100 if rival is None else max(5.0, 1.12 * float(np.max(values[order]))))
    axes.axvline(0, color=INK, linewidth=0.8)
    said = "accuracy %" if rival is None else f"accuracy of {names[0]} less that of {names[1]}, points"
    axes.set_xlabel(said, **text_style(10, SOFT))
    axes.grid(axis="x", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    heading = text_style(12) | {"va": "top", "fontweight": "bold"}
    figure.text(0.15 / width, 1 - 0.12 / height, title, **heading)
    mean = np.nanmean(values)
    words = f"mean over {len(order)} classes: {mean:+.1f}" if rival is not None else f"mean {mean:.1f}"
    figure.text(0.15 / width, 1 - 0.4 / height, words, **(text_style(9, SOFT) | {"va": "top"}))
    save(figure, path)


def by_class_csv(
    labels: Sequence[str],
    counts: np.ndarray,
    accuracies: np.ndarray,
    path: Path,
    rival: np.ndarray | None = None,
) -> None:
    """Write class, videos and accuracy in percent; with a rival its accuracy and the gain, best first."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "videos", "accuracy", *(["rival", "gain"] if rival is not None else [])])
    for place in by_gain(accuracies if rival is None else accuracies - rival):
        figures = [accuracies[place]]
        if rival is not None:
            figures += [rival[place], accuracies[place] - rival[place]]
        said = ["" if np.isnan(value) else f"{value:.4f}" for value in figures]
        writer.writerow([labels[place], int(counts[place]), *said])
    write_text(path, text.getvalue())
