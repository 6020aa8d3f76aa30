"""Judged claims as Markdown and as CSV, with every network's figures below."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from attcell.report.claims import Figures, Verdict, mean_and_deviation
from attcell.report.markdown import in_markdown, markdown_table

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
        "corrected for the number of claims. *Not expected*: the claim is shown whatever comes out, for on "
        "such data it is known not to show, or nothing is known.",
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
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    columns = ("ours", "rival", "difference")
    writer.writerow(
        ["claim", "where", "ours", "rival"]
        + [f"{column}_{part}" for column in columns for part in ("mean", "deviation")]
        + ["by_seed", "p", "rule", "expected", "outcome"]
    )
    for verdict in verdicts:
        claim = verdict.claim
        numbers = [
            number for values in (verdict.values, verdict.rivals, verdict.gaps) for number in _numbers(values)
        ]
        writer.writerow(
            [
                *(claim.said, claim.source, claim.better, verdict.worse),
                *numbers,
                " ".join(f"{gap:.4f}" for gap in verdict.gaps),
                "" if verdict.p is None else f"{verdict.p:.4g}",
                *(claim.rule, "yes" if claim.is_expected else "no", verdict.outcome),
            ]
        )
    return text.getvalue()


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
