"""``attcell protocol``: recipes over a data set's splits, and one table of what came out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attcell.errors import CallError


def protocol(
    words: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE... [KEY=VALUE]...", help="Recipes; overrides for all of them."),
    ],
    out: Annotated[Path, typer.Option(help="Where all runs and the tables go.")] = Path("runs/protocol"),
    splits: Annotated[str | None, typer.Option(help="As 1,3; by default all splits of the data set.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many trainings of each, with seeds from 0.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="How many trainings go side by side.")] = 1,
) -> None:
    """Train and test recipes on every split of their data set, and put the figures into one table.

    Run the same command again to go on after an interruption. OUT/RECIPE/split1-seed0/ is a run folder as
    attcell train makes it.

    Example: attcell protocol recipes/weizmann/*.yaml data.root=weizmann --out runs/weizmann --jobs 2
    """
    from attcell.config import load_recipe
    from attcell.data.finished_runs import read_run
    from attcell.files import check_output, write_text
    from attcell.progress import say
    from attcell.report.table import table_of
    from attcell.report.table_text import as_csv, as_latex, as_markdown

    overrides = [word for word in words if "=" in word]
    names = [word for word in words if "=" not in word]
    if not names:
        raise CallError("no recipe was named; give one or more, as recipes/weizmann/*.yaml")
    check_output(out, is_folder=True)
    recipes = [load_recipe(name, overrides) for name in names]

    from attcell.engine.protocol import plan_runs, run_protocol, unread_videos

    runs = plan_runs(recipes, out, None if splits is None else _numbers(splits), range(seeds))
    unread = {video: why for run in run_protocol(runs, jobs) for video, why in unread_videos(run).items()}
    for why in unread.values():
        say(f"attcell: {why}")
    table = table_of([read_run(run.scores) for run in runs])
    for suffix, text in (("md", as_markdown(table)), ("csv", as_csv(table)), ("tex", as_latex(table))):
        write_text(out / f"table.{suffix}", text)
    print(as_markdown(table))
    print(f"written: {', '.join(str(out / f'table.{suffix}') for suffix in ('md', 'csv', 'tex'))}")
    if unread:
        raise typer.Exit(1)


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise CallError(f"--splits {text} are not whole numbers; give such as 1,3") from error
