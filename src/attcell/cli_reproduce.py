"""``attcell reproduce``: the papers' claims, each held or not held."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attcell.errors import CallError

if TYPE_CHECKING:
    from attcell.report.claims import Verdict


class Suite(StrEnum):
    """What the claims are measured on."""

    generated = "generated"
    weizmann = "weizmann"
    ut_interaction = "ut_interaction"


def reproduce(
    suite: Annotated[Suite, typer.Argument(help="generated: videos with known truth, made on the spot.")],
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Of weizmann and ut_interaction: their videos.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="By default runs/reproduce-SUITE, or -quick.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One seed, and of generated videos few: minutes.")
    ] = False,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Of real clips: SqueezeNet 1.0's as .safetensors; by default torchvision's, from the net.",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many trainings go side by side.")] = 2,
) -> None:
    """Measure which of the papers' claims this implementation shows. Run again to go on after a stop.

    OUT/claims.md, claims.csv and claims.png say of each claim whether it held. Exit status 1 if one that is
    expected to hold did not.

    Example: attcell reproduce generated --quick

    Example: attcell reproduce weizmann videos/weizmann --weights squeezenet.safetensors
    """
    from attcell.files import check_output
    from attcell.progress import say

    _refuse_foreign(suite, folder, weights)
    place = out or Path("runs") / f"reproduce-{suite.value}{'-quick' if quick else ''}"
    check_output(place, is_folder=True)
    if folder is None:
        verdicts = _on_generated(place, quick, jobs)
    else:
        verdicts = _on_clips(suite, folder, weights or "pretrained", place, quick, jobs)
    print((place / "claims.md").read_text(encoding="utf-8"))
    print(f"written: {', '.join(str(place / f'claims.{suffix}') for suffix in ('md', 'csv', 'png'))}")
    failed = [verdict for verdict in verdicts if verdict.is_failure]
    for verdict in failed:
        say(f"attcell: not held: {verdict.claim.said} ({verdict.claim.rule})")
    if failed:
        raise typer.Exit(1)


def _refuse_foreign(suite: Suite, folder: Path | None, weights: str | None) -> None:
    """Raise a CallError for a folder or weights that are missing, or that the suite takes none of."""
    if suite is Suite.generated:
        given = [f"DIR {folder}"] * (folder is not None) + [f"--weights {weights}"] * (weights is not None)
        if given:
            raise CallError(
                f"{given[0]} is for real clips, and the suite generated makes its own videos; leave it out"
            )
    elif folder is None:
        raise CallError(
            f"the suite {suite.value} needs the folder of its videos: attcell reproduce {suite.value} DIR"
        )
    elif not folder.is_dir():
        raise CallError(f"{folder}: no such folder; give the one with the videos of {suite.value}")
    elif weights is not None and not Path(weights).is_file():
        raise CallError(f"--weights {weights}: no such file; leave it out to take torchvision's weights")


def _on_generated(place: Path, quick: bool, jobs: int) -> list[Verdict]:
    from attcell.reproduce.generated import reproduce_generated
    from attcell.reproduce.sizes import FULL, QUICK

    return reproduce_generated(place, QUICK if quick else FULL, jobs)


def _on_clips(suite: Suite, folder: Path, weights: str, place: Path, quick: bool, jobs: int) -> list[Verdict]:
    from attcell.reproduce.clips import REAL_SETS, SEEDS, reproduce_clips

    return reproduce_clips(REAL_SETS[suite.value], folder, weights, place, 1 if quick else SEEDS, jobs)
