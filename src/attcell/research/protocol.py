"""``attcell protocol`` and ``attcell ablate``: from recipes to runs, and from runs to one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from attcell._files import write_text
from attcell._paths import check_output
from attcell.choices import AblationSubject, TableFormat
from attcell.config.loading import choose_rows
from attcell.config.stages import load_row, load_rows
from attcell.errors import CallError
from attcell.research.ablation import SEGMENT_COUNTS, segment_counts, variants
from attcell.research.driver import PlannedRun, run_planned
from attcell.research.plan import plan_runs
from attcell.results.run_table import table_of
from attcell.results.run_table_text import FORMATS
from attcell.results.runs import read_run

_TABLES: dict[str, TableFormat] = {"md": "markdown", "csv": "csv", "tex": "latex"}  # by their endings


@dataclass(frozen=True)
class Outcome:
    """What came of an experiment.

    Attributes:
        table: as Markdown.
        tables: the files that it was written to.
        unread: video → why it could not be read.
        pictures: what was drawn beside, and its numbers.
    """

    table: str
    tables: tuple[Path, ...]
    unread: dict[str, str]
    pictures: tuple[Path, ...] = ()

    def lines(self) -> list[str]:
        """For people: the table, and what was written."""
        written = [paths for paths in (self.tables, self.pictures) if paths]
        return [self.table, *(f"written: {', '.join(map(str, paths))}" for paths in written)]


@dataclass(frozen=True)
class ProtocolCall:
    """Recipes to train and test; the options of ``attcell protocol``.

    Attributes:
        names: of recipes, packaged or files.
        overrides: ``key=value`` for all rows, ``PATTERN:key=value`` for some.
        rows: patterns of those that are run; all if empty.
        out: below which all runs and the tables go.
        splits: None for those that a recipe names, or else all of its data set.
        seeds: how many trainings of each, with seeds from 0.
        jobs: how many go side by side.
    """

    names: Sequence[str]
    overrides: Sequence[str]
    rows: Sequence[str]
    out: Path
    splits: Sequence[int] | None
    seeds: int
    jobs: int

    def listed(self) -> list[str]:
        """The rows that would be run, a line each.

        Raises:
            CallError: no such file, or a pattern that fits no row.
        """
        self._refuse_nothing()
        chosen = choose_rows(self.names, self.rows)
        return [file.name if row is None else f"{file.name} {row}" for file, row in chosen]

    def run(self) -> Outcome:
        """Train and test what is not done yet, and write the tables.

        Raises:
            CallError: recipes that cannot be run; and all errors of training and testing.
        """
        self._refuse_nothing()
        loaded = load_rows(self.names, self.overrides, self.rows)
        check_output(self.out, is_folder=True)
        runs = plan_runs(loaded.recipes, self.out, self.splits, range(self.seeds), loaded.stages)
        return _run_and_tabulate(runs, self.out, self.jobs)

    def _refuse_nothing(self) -> None:
        if not self.names:
            raise CallError("no recipe was named; give one or more, as stan-table-7")


@dataclass(frozen=True)
class AblationCall:
    """One recipe of which one thing is changed; the options of ``attcell ablate``.

    Attributes:
        subject: what is changed.
        recipe: a packaged one's name, or a file.
        overrides: as of a protocol; with a pattern for the stages that it begins with.
        row: of a table.
        out: below which all goes; by default ``runs/NAME-SUBJECT``.
        counts: of segments at test; by default 5 to 70 in fives. For the subject ``segments`` alone.
        splits: as of a protocol.
        seeds: as of a protocol.
        jobs: as of a protocol.
    """

    subject: AblationSubject
    recipe: str
    overrides: Sequence[str]
    row: str | None
    out: Path | None
    counts: Sequence[int] | None
    splits: Sequence[int] | None
    seeds: int
    jobs: int

    def run(self) -> Outcome:
        """Train and test every variant, or test with every number of segments, and write the tables.

        Raises:
            CallError: nothing to compare, or numbers that are none; and all errors of training and testing.
        """
        if self.counts is not None and self.subject != "segments":
            raise CallError("--counts are numbers of segments; leave them out, or ablate segments")
        if self.counts is not None and min(self.counts) < 1:
            given = ",".join(map(str, self.counts))
            raise CallError(f"--counts {given}: at least 1 segment is needed")
        loaded = load_row(self.recipe, self.overrides, self.row)
        (whole,) = loaded.recipes
        out = self.out or Path("runs") / f"{whole.name}-{self.subject}"
        recipes = [whole] if self.subject == "segments" else variants(whole, self.subject)
        check_output(out, is_folder=True)
        runs = plan_runs(recipes, out, self.splits, range(self.seeds), loaded.stages)
        found = _run_and_tabulate(runs, out, self.jobs)
        if self.subject != "segments":
            return found
        own = [run for run in runs if run.recipe.name == whole.name]
        return replace(found, pictures=_draw_segment_counts(own, self.counts or SEGMENT_COUNTS, out))


def _run_and_tabulate(runs: Sequence[PlannedRun], out: Path, jobs: int) -> Outcome:
    """Do the runs, and write their table in every form."""
    unread = {video: why for run in run_planned(runs, jobs) for video, why in run.unread_videos().items()}
    table = table_of([read_run(run.scores) for run in runs])
    texts = {out / f"table.{ending}": FORMATS[form](table) for ending, form in _TABLES.items()}
    for path, text in texts.items():
        write_text(path, text)
    return Outcome(next(iter(texts.values())), tuple(texts), unread)


def _draw_segment_counts(runs: Sequence[PlannedRun], counts: Sequence[int], out: Path) -> tuple[Path, ...]:
    """Test the runs with so many segments, and write what the first metric comes to, as text and picture."""
    from attcell.report.figures.charts import segment_csv, segment_curve

    tests = segment_counts(runs, sorted(set(counts)))
    name = next(iter(tests[counts[0]][0].figures()))
    values = {count: [test.figures()[name] for test in of_count] for count, of_count in tests.items()}
    written = out / "segments.csv", out / "segments.png"
    segment_csv(values, name, written[0])
    segment_curve(values, name, written[1], f"{runs[0].recipe.name}, {name} by segments at test")
    return written
