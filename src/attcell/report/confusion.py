"""The confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from attcell.errors import CallError
from attcell.report.figures import FAINT, INK, SOFT, new_figure, save, text_style

_LARGEST_INCHES = 48.0
_MOST_WITH_COUNTS = 20


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


def shortened(label: str, most: int = 40) -> str:
    """The label on one line, with an ellipsis in place of what is too long."""
    line = " ".join(label.split())
    return line if len(line) <= most else line[: most - 1] + "…"


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
