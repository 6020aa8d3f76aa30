"""``attcell reproduce``: the papers' claims, each held or not held."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Suite(StrEnum):
    """What the claims are measured on."""

    generated = "generated"


def reproduce(
    suite: Annotated[Suite, typer.Argument(help="Videos with known truth, made on the spot.")],
    out: Annotated[Path | None, typer.Option(help="By default runs/reproduce-SUITE, or -quick.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One seed and few videos, in minutes.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="How many trainings go side by side.")] = 2,
) -> None:
    """Measure which of the papers' claims this implementation shows. Run again to go on after a stop.

    OUT/claims.md, claims.csv and claims.png say of each claim whether it held. Exit status 1 if one that is
    expected to hold did not.

    Example: attcell reproduce generated --quick
    """
    from attcell.files import check_output
    from attcell.progress import say
    from attcell.reproduce.generated import reproduce_generated
    from attcell.reproduce.sizes import FULL, QUICK

    place = out or Path("runs") / f"reproduce-{suite.value}{'-quick' if quick else ''}"
    check_output(place, is_folder=True)
    verdicts = reproduce_generated(place, QUICK if quick else FULL, jobs)
    print((place / "claims.md").read_text(encoding="utf-8"))
    print(f"written: {', '.join(str(place / f'claims.{suffix}') for suffix in ('md', 'csv', 'png'))}")
    failed = [verdict for verdict in verdicts if verdict.is_failure]
    for verdict in failed:
        say(f"attcell: not held: {verdict.claim.said} ({verdict.claim.rule})")
    if failed:
        raise typer.Exit(1)
