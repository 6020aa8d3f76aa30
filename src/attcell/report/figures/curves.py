"""How a figure goes with the number of test segments (STAN's Fig. 5), as a picture and as CSV."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from attcell._files import write_text
from attcell.report.figures.style import ACCENT, FAINT, INK, SOFT, new_figure, save, text_style

WIDTH, HEIGHT = 6.4, 4.0  # inches


def segment_curve(figures: Mapping[int, Sequence[float]], name: str, path: Path, title: str) -> None:
    """Write a PNG: the mean figure at each number of segments, and each run as a fainter line.

    Args:
        figures: T → the figure in percent of every run.
        name: of the figure.
        path: the PNG; written whole or not at all.
        title: what the picture is about.
    """
    counts = sorted(figures)
    figure = new_figure(WIDTH, HEIGHT, dpi=150)
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
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    runs = range(1, len(next(iter(figures.values()))) + 1)
    writer.writerow(["segments", f"{name}_mean", *(f"{name}_run{number}" for number in runs)])
    for count in sorted(figures):
        values = [statistics.fmean(figures[count]), *figures[count]]
        writer.writerow([count, *(f"{value:.4f}" for value in values)])
    write_text(path, text.getvalue())
