"""Judged claims at a glance: for each the difference of every seed, and the bound it has to reach."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from attcell.report.claims import Verdict
from attcell.report.figures import ACCENT, FAINT, INK, SOFT, new_figure, save, text_style

WIDTH, ROW = 10.0, 0.44  # inches
HELD = "#15803d"


def claims_picture(verdicts: Sequence[Verdict], path: Path, title: str) -> None:
    """Write a PNG: a row a claim, its differences as dots, their mean as a bar, its bound as a line.

    Claims that ask for a figure and no difference are drawn by how far the figure is above the bound.
    """
    height = ROW * len(verdicts) + 1.3
    figure = new_figure(WIDTH, height, dpi=150)
    axes = figure.add_axes((0.46, 0.75 / height, 0.38, ROW * len(verdicts) / height))
    for place, verdict in enumerate(verdicts):
        _draw(axes, place, verdict)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_ylim(len(verdicts) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xlabel(
        "points above the rival, or above the bound of a claim without one; a line is a bound\n"
        "in the mean: not with every seed by itself; * was not expected to hold",
        **text_style(9, SOFT),
    )
    axes.grid(axis="x", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=INK, labelsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.text(0.02, 1 - 0.25 / height, title, **(text_style(12) | {"va": "center", "fontweight": "bold"}))
    save(figure, path)


def _draw(axes: Axes, place: int, verdict: Verdict) -> None:
    claim = verdict.claim
    colour = HELD if verdict.is_held else ACCENT
    points = np.array(verdict.gaps) - (0 if claim.worse else claim.bound)
    mean = float(points.mean())
    axes.plot([0, mean], [place, place], color=colour, linewidth=5, alpha=0.35, solid_capstyle="butt")
    axes.plot(points, [place] * len(points), "o", color=colour, markersize=4)
    if claim.worse and claim.bound:
        axes.plot([claim.bound] * 2, [place - 0.36, place + 0.36], color=INK, linewidth=1.2)
    side = axes.get_yaxis_transform()
    said = textwrap.shorten(claim.said, 78, placeholder=" …")
    axes.text(-0.02, place, said, transform=side, ha="right", va="center", **text_style(8.5))
    outcome = verdict.outcome + ("" if claim.is_expected else " *")
    axes.text(1.02, place, outcome, transform=side, va="center", **text_style(8.5, colour))
