"""What a suite came to: its claims judged, and the table and the picture of them written."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attcell._files import write_text
from attcell.metrics.statistics import mean_and_deviation
from attcell.report.colours import ACCENT, FAINT, INK, SOFT
from attcell.report.figures.style import new_figure, save, text_style
from attcell.research.claims import Claim, Figures, Verdict, judge
from attcell.results.tables import csv_table, in_markdown, markdown_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_outcome(
    out: Path,
    title: str,
    setting: str,
    claims: Sequence[Claim],
    figures: Figures,
    by_group: Figures | None = None,
) -> list[Verdict]:
    """Judge, and write claims.md, claims.csv and claims.png to the folder ``out``.

    Args:
        out: where they go.
        title: of the page and the picture.
        setting: what was measured, and how.
        claims: what is judged.
        figures: name → the figure of every seed.
        by_group: name → the figure of every group of videos, for paired tests.
    """
    verdicts = [judge(claim, figures, by_group) for claim in claims]
    write_text(out / "claims.md", as_markdown(title, setting, verdicts, figures))
    write_text(out / "claims.csv", as_csv(verdicts))
    claims_picture(verdicts, out / "claims.png", title)
    return verdicts


# The tables: Markdown for people, CSV for programs

_HEAD = ("claim", "where", "ours", "rival", "difference", "by seed", "rule", "")


def as_markdown(title: str, setting: str, verdicts: Sequence[Verdict], figures: Figures) -> str:
    """One table of claims, what it was measured on, and one of all figures.

    Args:
        title: of the page.
        setting: what was measured, and how; a paragraph.
        verdicts: in the order of the table.
        figures: all that was measured.
    """
    num_failed = sum(verdict.is_failure for verdict in verdicts)
    num_held = sum(verdict.is_held for verdict in verdicts)
    lines = [f"# {title}", "", setting, ""]
    lines += [
        f"{num_held} of {len(verdicts)} claims held; "
        + (
            f"**{num_failed} that were expected to did not**."
            if num_failed
            else "all that were expected to did."
        ),
        "",
        markdown_table(_HEAD, map(_cells, verdicts), [False] * len(_HEAD)),
        "Mean ± sample deviation over the seeds, in percent or points. *Held in the mean*: not with every "
        "seed by itself. *p*: of an exact two-sided sign-flip test over what is left out in turn, not "
        "corrected for the number of claims. *Not expected*: the claim is shown whatever comes out, because "
        "on such data it is known not to show, or nothing is known.",
        "",
        "## All figures",
        "",
        markdown_table(
            ("figure", "mean", "by seed"),
            ((in_markdown(name), mean_and_deviation(of), _by_seed(of)) for name, of in figures.items()),
            (False, True, False),
        ),
    ]
    return "\n".join(lines)


def as_csv(verdicts: Sequence[Verdict]) -> str:
    """A row a claim, with means and deviations apart."""
    parts = [
        f"{column}_{part}" for column in ("ours", "rival", "difference") for part in ("mean", "deviation")
    ]
    head = ["claim", "where", "ours", "rival", *parts, "by_seed", "p", "rule", "expected", "outcome"]
    return csv_table(head, map(_csv_row, verdicts))


def _csv_row(verdict: Verdict) -> list[str]:
    claim = verdict.claim
    numbers = [
        number for values in (verdict.values, verdict.rivals, verdict.gaps) for number in _numbers(values)
    ]
    return [
        *(claim.said, claim.source, claim.better, verdict.worse),
        *numbers,
        " ".join(f"{gap:.4f}" for gap in verdict.gaps),
        "" if verdict.p is None else f"{verdict.p:.4g}",
        *(claim.rule, "yes" if claim.is_expected else "no", verdict.outcome),
    ]


def _cells(verdict: Verdict) -> Sequence[str]:
    claim = verdict.claim
    outcome = verdict.outcome if verdict.is_held else f"**{verdict.outcome}**"
    return (
        in_markdown(claim.said),
        in_markdown(claim.source),
        f"{in_markdown(claim.better)}: {mean_and_deviation(verdict.values)}",
        f"{in_markdown(verdict.worse)}: {mean_and_deviation(verdict.rivals)}" if verdict.rivals else "–",
        _difference(verdict),
        _by_seed(verdict.gaps),
        claim.rule,
        outcome if claim.is_expected else f"{outcome} (not expected)",
    )


def _difference(verdict: Verdict) -> str:
    """And how easily chance alone would bring it about."""
    if not verdict.rivals:
        return "–"
    difference = mean_and_deviation(verdict.gaps)
    return difference if verdict.p is None else f"{difference}, p = {verdict.p:.2g}"


def _by_seed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


def _numbers(values: Sequence[float]) -> tuple[str, str]:
    """Mean and sample deviation, empty where there is none."""
    if not values:
        return "", ""
    return f"{np.mean(values):.4f}", f"{np.std(values, ddof=1):.4f}" if len(values) > 1 else ""


# The picture: for each claim the difference of every seed, and the bound that it has to reach

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
