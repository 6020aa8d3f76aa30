"""``attcell protocol`` and ``attcell ablate``: recipes over a data set's splits, and one table of them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from attcell.errors import CallError

if TYPE_CHECKING:
    from attcell.config import Recipe
    from attcell.engine.protocol import PlannedRun

Splits = Annotated[str | None, typer.Option(help="As 1,3; by default all splits of the data set.")]
Seeds = Annotated[int, typer.Option(min=1, help="How many trainings of each, with seeds from 0.")]
Jobs = Annotated[int, typer.Option(min=1, help="How many trainings go side by side.")]


class Subject(StrEnum):
    """What an ablation changes."""

    tap = "tap"
    segments = "segments"
    fusion = "fusion"
    modalities = "modalities"


def protocol(
    words: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE... [KEY=VALUE]...", help="Recipes; overrides for all of them."),
    ],
    out: Annotated[Path, typer.Option(help="Where all runs and the tables go.")] = Path("runs/protocol"),
    splits: Splits = None,
    seeds: Seeds = 1,
    jobs: Jobs = 1,
) -> None:
    """Train and test recipes on every split of their data set, and put the figures into one table.

    Run the same command again to go on after an interruption. OUT/RECIPE/split1-seed0/ is a run folder as
    attcell train makes it.

    Example: attcell protocol recipes/weizmann/*.yaml data.root=weizmann --out runs/weizmann --jobs 2
    """
    from attcell.config import load_recipe, refuse_foreign_streams

    overrides = [word for word in words if "=" in word]
    names = [word for word in words if "=" not in word]
    if not names:
        raise CallError("no recipe was named; give one or more, as recipes/weizmann/*.yaml")
    recipes = [load_recipe(name, overrides) for name in names]
    for name in names:
        refuse_foreign_streams(Path(name), overrides)
    runs = _plan(recipes, out, splits, seeds)
    _end(_run_and_tabulate(runs, out, jobs))


def ablate(
    subject: Annotated[Subject, typer.Argument(help="What is changed.")],
    recipe: Annotated[Path, typer.Argument(help="A recipe in YAML.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")] = None,
    out: Annotated[Path | None, typer.Option(help="By default runs/RECIPE-SUBJECT.")] = None,
    counts: Annotated[
        str | None, typer.Option(help="Of segments at test, as 5,10,25; by default 5 to 70 in fives.")
    ] = None,
    splits: Splits = None,
    seeds: Seeds = 1,
    jobs: Jobs = 1,
) -> None:
    """Change one thing of a recipe, and compare.

    tap: the feature map. segments: their number at test, with a picture. fusion: SAN and STAN, early and
    late. modalities: every set of the recipe's streams.

    Example: attcell ablate segments recipes/weizmann/frame-stan.yaml data.root=weizmann
    """
    from attcell.config import load_recipe

    whole = load_recipe(recipe, overrides or [])
    place = out or Path("runs") / f"{whole.name}-{subject.value}"
    if counts is not None and subject is not Subject.segments:
        raise CallError("--counts are numbers of segments; leave them out, or ablate segments")

    from attcell.engine.ablation import SEGMENT_COUNTS, variants

    if subject is not Subject.segments:
        recipes = variants(whole, cast("Literal['tap', 'fusion', 'modalities']", subject.value))
        _end(_run_and_tabulate(_plan(recipes, place, splits, seeds), place, jobs))
        return
    wanted = SEGMENT_COUNTS if counts is None else _numbers(counts, "--counts")
    if min(wanted) < 1:
        raise CallError(f"--counts {counts}: at least 1 segment is needed")
    runs = _plan([whole], place, splits, seeds)
    unread = _run_and_tabulate(runs, place, jobs)
    _draw_segment_counts(runs, wanted, place)
    _end(unread)


def _plan(recipes: Sequence[Recipe], out: Path, splits: str | None, seeds: int) -> list[PlannedRun]:
    from attcell.engine.protocol import plan_runs
    from attcell.files import check_output

    check_output(out, is_folder=True)
    return plan_runs(recipes, out, None if splits is None else _numbers(splits, "--splits"), range(seeds))


def _run_and_tabulate(runs: Sequence[PlannedRun], out: Path, jobs: int) -> dict[str, str]:
    """Do the runs, print and write their table, and return video → why it could not be read."""
    from attcell.data.finished_runs import read_run
    from attcell.engine.protocol import run_protocol, unread_videos
    from attcell.files import write_text
    from attcell.report.table import table_of
    from attcell.report.table_text import as_csv, as_latex, as_markdown

    unread = {video: why for run in run_protocol(runs, jobs) for video, why in unread_videos(run).items()}
    table = table_of([read_run(run.scores) for run in runs])
    for suffix, text in (("md", as_markdown(table)), ("csv", as_csv(table)), ("tex", as_latex(table))):
        write_text(out / f"table.{suffix}", text)
    print(as_markdown(table))
    print(f"written: {', '.join(str(out / f'table.{suffix}') for suffix in ('md', 'csv', 'tex'))}")
    return unread


def _draw_segment_counts(runs: Sequence[PlannedRun], counts: Sequence[int], out: Path) -> None:
    from attcell.engine.ablation import segment_counts
    from attcell.report.segment_curve import segment_csv, segment_curve

    tests = segment_counts(runs, sorted(set(counts)))
    name = next(iter(tests[counts[0]][0].figures()))
    figures = {count: [test.figures()[name] for test in of_count] for count, of_count in tests.items()}
    segment_csv(figures, name, out / "segments.csv")
    segment_curve(figures, name, out / "segments.png", f"{runs[0].recipe.name}, {name} by segments at test")
    print(f"written: {out / 'segments.csv'}, {out / 'segments.png'}")


def _end(unread: dict[str, str]) -> None:
    from attcell.progress import say

    for why in unread.values():
        say(f"attcell: {why}")
    if unread:
        raise typer.Exit(1)


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise CallError(f"{option} {text} are not whole numbers; give such as 1,3") from error
