"""What a sweep leaves: a table (CSV and JSON), a picture, and the best recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attcell._files import write_json, write_text
from attcell._log import minutes
from attcell.config.recipe import Recipe
from attcell.report.figures.trials import TriedValues, trials_picture
from attcell.results.tables import csv_table
from attcell.sweep.study import TrialResult
from attcell.training.run_folder import recipe_text

BEST_RECIPE = "best.yaml"
TABLE, VALUES, PICTURE = "trials.csv", "trials.json", "trials.png"


@dataclass(frozen=True)
class SweepOutcome:
    """What came of a sweep.

    Attributes:
        out: its folder.
        trials: all of them.
        best: None if none succeeded.
    """

    out: Path
    trials: tuple[TrialResult, ...]
    best: TrialResult | None

    @property
    def lines(self) -> list[str]:
        """What is said at the end."""
        failed = [one for one in self.trials if one.why]
        lines = [f"trial {one.number} failed: {one.why.splitlines()[0]}" for one in failed]
        if self.best is None or self.best.judged is None:
            return [*lines, f"no trial of {len(self.trials)} succeeded; {self.out / VALUES} says why"]
        best = self.best
        return [
            *lines,
            f"best of {len(self.trials)} trials: {best.number}, {_percent(best)} of the validation videos "
            "right",
            *(f"  {key}={_short(value)}" for key, value in best.values.items()),
            "the best of many is a little too good on these videos: believe the test's figure",
            f"all of it: {self.out / TABLE}, {self.out / PICTURE}",
            f"next: attcell train {self.out / BEST_RECIPE} --out {self.out / 'best'}",
        ]


def trial_line(trial: TrialResult, best: TrialResult | None) -> str:
    """A trial that has ended, as one line."""
    values = ", ".join(f"{key}={_short(value)}" for key, value in trial.values.items())
    if trial.judged is None:
        return f"trial {trial.number} failed: {trial.why.splitlines()[0]} ({values})"
    mark = ", the best so far" if best is not None and best.number == trial.number else ""
    took = f"as trial {trial.same_as}" if trial.same_as else minutes(trial.judged.seconds)
    return f"trial {trial.number}: {_percent(trial)}{mark} ({values}; {took})"


def write_table(out: Path, trials: Sequence[TrialResult]) -> None:
    """Write trials.csv and trials.json."""
    keys = list(trials[0].values)
    head = ["trial", "accuracy", "loss", "seconds", *keys, "failed", "same_as"]
    rows = [
        [
            str(one.number),
            *(_figure(value) for value in _figures(one)),
            *(str(one.values.get(key, "")) for key in keys),
            one.why,
            "" if one.same_as is None else str(one.same_as),
        ]
        for one in trials
    ]
    write_text(out / TABLE, csv_table(head, rows))
    write_json(str(out / VALUES), [_plain(one) for one in trials])


def write_outcome(
    out: Path, trials: Sequence[TrialResult], best: TrialResult | None, recipe: Recipe | None
) -> SweepOutcome:
    """Write the table, the picture, and the recipe of the best trial where there is one."""
    write_table(out, trials)
    done = [one for one in trials if one.judged is not None]
    if best is not None and recipe is not None:
        tried = [TriedValues(one.number, one.judged.accuracy, one.values) for one in done if one.judged]
        trials_picture(tried, out / PICTURE, f"{recipe.name}: {len(trials)} trials")
        figure = f"{_percent(best)} on the validation videos"
        head = f"# The best of {len(trials)} trials, number {best.number}: {figure}.\n"
        named = recipe.model_copy(update={"name": f"{recipe.name}-best"})
        write_text(out / BEST_RECIPE, head + recipe_text(named))
    return SweepOutcome(out, tuple(trials), best)


def _plain(one: TrialResult) -> dict[str, object]:
    accuracy, loss, seconds = _figures(one)
    return {
        "trial": one.number,
        "values": one.values,
        "accuracy": accuracy,
        "loss": loss,
        "seconds": seconds,
        "failed": one.why or None,
        "same_as": one.same_as,
    }


def _figures(one: TrialResult) -> tuple[float | None, float | None, float | None]:
    """Accuracy in percent, loss and seconds."""
    judged = one.judged
    return (
        (None, None, None)
        if judged is None
        else (round(100 * judged.accuracy, 4), judged.loss, judged.seconds)
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _percent(one: TrialResult) -> str:
    assert one.judged is not None, "it is done"
    return f"{100 * one.judged.accuracy:.1f} %"


def _short(value: str | int | float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
