"""``attcell sweep``: many trainings of one recipe, to find better values for some of its keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from attcell._terminal import put
from attcell.cli.common.interruption import leaves
from attcell.cli.common.options import RecipeName, Row


def sweep(
    recipe: RecipeName,
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...",
            help="LOW..HIGH, log:LOW..HIGH or A,B,C as a value is looked through; one value is set.",
        ),
    ],
    row: Row = None,
    trials: Annotated[int, typer.Option(min=1, help="How many in all; more go on with what is done.")] = 20,
    jobs: Annotated[int, typer.Option(min=1, help="How many go side by side, a GPU each.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of what is tried; the recipe has its own.")] = 0,
    out: Annotated[Path | None, typer.Option(help="The folder; by default runs/NAME-sweep.")] = None,
) -> None:
    """Look for better values of some keys of a recipe, by Optuna.

    Each trial is an ordinary run below OUT/trials, judged on validation videos alone. OUT gets trials.csv,
    trials.json, a picture, and best.yaml, which attcell train takes. Run again to go on.

    Example: attcell sweep stan-small data.train=videos/train data.val_fraction=0.2
    train.learning_rate=log:1e-4..1e-1 model.lstm_hidden=64..512 train.optimizer=sgd,adamw --trials 30
    """
    from attcell.sweep.call import SweepCall
    from attcell.sweep.call import sweep as run_sweep

    place = out or Path("runs") / f"{Path(recipe).stem}-sweep"
    leaves(lambda: (f"the trials that are done stay in {place}", sys.argv[1:]))
    outcome = run_sweep(SweepCall(recipe, values, place, row, trials, jobs, seed))
    put(*outcome.lines)
    if outcome.best is None:
        raise typer.Exit(1)
