"""Charts of figures: the confusion matrix, accuracy class by class, and a curve over numbers of segments."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from attcell._files import write_text
from attcell.errors import CallError
from attcell.report.colours import ACCENT, FAINT, INK, SOFT
from attcell.report.figures.style import new_figure, save, shortened, text_style
from attcell.results.recognition_metrics import ClassAccuracies
from attcell.results.tables import csv_table

_LARGEST_INCHES = 48.0
_MOST_WITH_COUNTS = 20
_ROW_INCHES = 0.21
_MOST_BAR_INCHES = 40.0
_CURVE_INCHES = (6.4, 4.0)


def confusion_picture(matrix: np.ndarray, labels: Sequence[str], path: Path, title: str) -> None:
    """Write a PNG of a confusion matrix: a row for each true class, a column for each predicted one.

    Colours give the share of the row; up to 20 classes, the cells hold the counts too. The row of a class
    without videos stays grey.

    Args:
        matrix: (A, A) counts, row = true class.
        labels: the A classes.
        path: the PNG; written whole or not at all.
        title: what the figure is about, such as the data set, split and accuracy.

    Raises:
        CallError: the matrix is not (A, A) for A >= 1 labels, or holds negative counts.
    """
    num_classes = len(labels)
    if num_classes == 0 or matrix.shape != (num_classes, num_classes):
        raise CallError(
            f"a confusion matrix of shape {matrix.shape} does not fit {num_classes} labels; "
            "it takes one row and one column for each of at least one label"
        )
    if (matrix < 0).any():
        raise CallError(f"a confusion matrix holds counts, none below 0; the least here is {matrix.min()}")
    cell = 0.45 if num_classes <= _MOST_WITH_COUNTS else 0.19
    longest = max(len(label) for label in labels)
    side = min(num_classes * cell, _LARGEST_INCHES)
    font = min(9.0, side / num_classes * 72 * 0.75)
    room = 0.35 + min(longest, 40) * font * 0.62 / 72
    before, after, above = room + 0.3, 0.9, 0.5
    width, height = before + side + after, above + side + room + 0.3
    figure = new_figure(width, height, dpi=120)
    axes = figure.add_axes((before / width, (room + 0.3) / height, side / width, side / height))
    shares = row_shares(matrix)
    axes.set_facecolor(FAINT)
    picture = axes.imshow(shares, vmin=0, vmax=1, cmap="Oranges", interpolation="nearest", aspect="equal")
    _write_labels(axes, [shortened(label) for label in labels], font)
    if num_classes <= _MOST_WITH_COUNTS:
        _write_counts(axes, matrix, shares)
    heading = text_style(12) | {"va": "top", "fontweight": "bold"}
    figure.text(0.15 / width, 1 - 0.12 / height, title, **heading)
    beside = figure.add_axes(
        ((before + side + 0.2) / width, (room + 0.3) / height, 0.14 / width, min(side, 3) / height)
    )
    bar = figure.colorbar(picture, cax=beside)
    bar.outline.set_visible(False)
    bar.set_ticks([0, 0.5, 1], labels=["0%", "50%", "100%"])
    beside.set_ylabel("share of the row", **text_style(8, SOFT))
    beside.tick_params(labelsize=8, length=0, labelcolor=SOFT)
    save(figure, path)


def row_shares(matrix: np.ndarray) -> np.ndarray:
    """(A, A) counts to shares of each row; rows without counts become not-a-number."""
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.full(matrix.shape, np.nan)
    np.divide(matrix, totals, out=shares, where=totals > 0)
    return shares


def _write_labels(axes: Axes, labels: list[str], font: float) -> None:
    places = np.arange(len(labels))
    axes.set_xticks(places, labels, rotation=90, **text_style(font))
    axes.set_yticks(places, labels, **text_style(font))
    axes.set_xlabel("predicted", **text_style(10, SOFT))
    axes.set_ylabel("true", **text_style(10, SOFT))
    axes.tick_params(length=0)
    axes.set_xticks(places[:-1] + 0.5, minor=True)
    axes.set_yticks(places[:-1] + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8 if len(labels) <= _MOST_WITH_COUNTS else 0.3)
    axes.tick_params(which="minor", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write_counts(axes: Axes, matrix: np.ndarray, shares: np.ndarray) -> None:
    for row, column in zip(*np.nonzero(matrix), strict=True):
        style = text_style(8, "white" if shares[row, column] > 0.6 else INK) | {
            "ha": "center",
            "va": "center",
        }
        axes.text(column, row, f"{int(matrix[row, column])}", **style)


def per_class_picture(
    found: ClassAccuracies, path: Path, title: str, names: Sequence[str] = ("this", "rival")
) -> None:
    """Write a PNG with a bar for each class: the accuracy, or with a rival the gain over it, best first.

    Args:
        found: percent by class; classes without videos are left out.
        path: the PNG; written whole or not at all.
        title: what the figure is about.
        names: of the model and its rival.
    """
    values, order, rival = found.gains, found.present, found.rival
    row = min(_ROW_INCHES, _MOST_BAR_INCHES / max(1, len(order)))
    side, above, below = row * len(order), 0.75, 0.55
    font = min(9.0, row * 72 * 0.72)
    room = 0.3 + min(40, max(len(label) for label in found.labels)) * font * 0.6 / 72
    width, height = room + 6.0, above + side + below
    figure = new_figure(width, height, dpi=120)
    axes = figure.add_axes((room / width, below / height, 5.6 / width, side / height))
    places = np.arange(len(order))
    colours = [ACCENT if values[place] >= 0 else SOFT for place in order]
    axes.barh(places, values[order], color=colours, height=0.72)
    axes.set_yticks(places, [shortened(found.labels[place]) for place in order], **text_style(font))
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
    _, mean, _ = found.means
    words = f"mean over {len(order)} classes: {mean:+.1f}" if rival is not None else f"mean {mean:.1f}"
    figure.text(0.15 / width, 1 - 0.4 / height, words, **(text_style(9, SOFT) | {"va": "top"}))
    save(figure, path)


def segment_curve(figures: Mapping[int, Sequence[float]], name: str, path: Path, title: str) -> None:
    """Write a PNG: the mean figure at each number of segments, and each run as a fainter line.

    Args:
        figures: T → the figure in percent of every run.
        name: of the figure.
        path: the PNG; written whole or not at all.
        title: what the picture is about.
    """
    counts = sorted(figures)
    figure = new_figure(*_CURVE_INCHES, dpi=150)
    axes = figure.add_axes((0.12, 0.14, 0.84, 0.70))
    for run in zip(*(figures[count] for count in counts), strict=True):
        axes.plot(counts, run, color=FAINT, linewidth=1)
    means = [statistics.fmean(figures[count]) for count in counts]
    axes.plot(counts, means, color=ACCENT, linewidth=2, marker="o", markersize=4)
    axes.set_xticks(counts)
    axes.set_xlabel("segments at test", **text_style(10, SOFT))
    axes.set_ylabel(f"{name.replace('_', ' ')} %", **text_style(10, SOFT))
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.text(0.12, 0.93, title, **(text_style(12) | {"va": "center", "fontweight": "bold"}))
    best = counts[max(range(len(counts)), key=means.__getitem__)]
    runs = len(figures[counts[0]])
    words = (
        f"mean of {runs} runs, each a fainter line; highest at {best}" if runs > 1 else f"highest at {best}"
    )
    figure.text(0.12, 0.875, words, **(text_style(9, SOFT) | {"va": "center"}))
    save(figure, path)


def segment_csv(figures: Mapping[int, Sequence[float]], name: str, path: Path) -> None:
    """Write a row for each number of segments: the mean, and every run's figure."""
    runs = range(1, len(next(iter(figures.values()))) + 1)
    rows = []
    for count in sorted(figures):
        values = [statistics.fmean(figures[count]), *figures[count]]
        rows.append([count, *(f"{value:.4f}" for value in values)])
    head = ["segments", f"{name}_mean", *(f"{name}_run{number}" for number in runs)]
    write_text(path, csv_table(head, rows))
