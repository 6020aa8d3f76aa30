"""What a suite came to: its claims judged, and the table and the picture of them written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attcell.files import write_text
from attcell.report.claims import Claim, Figures, Verdict, judge
from attcell.report.claims_picture import claims_picture
from attcell.report.claims_table import as_csv, as_markdown


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
