"""Which candidate is taken, and why; in words, as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attcell._files import write_json, write_text
from attcell._log import minutes
from attcell.choosing.candidates import check_name
from attcell.choosing.crossing import CandidateResult, Crossed
from attcell.choosing.videos import OwnVideos
from attcell.data.folds import Folds
from attcell.errors import CallError
from attcell.metrics.statistics import paired_p
from attcell.report.lines import interval_words

RULE = "the highest cross-validated accuracy; of equals the simplest, which comes first in the table"


@dataclass(frozen=True)
class Choice:
    """What was taken.

    Attributes:
        taken: the candidate.
        is_given: by name, and not by the rule.
        best: the one that the rule takes.
        alike: the names of those that these videos do not tell apart from the one that is taken.
    """

    taken: CandidateResult
    is_given: bool
    best: CandidateResult
    alike: tuple[str, ...]

    @property
    def why(self) -> str:
        """In words."""
        if self.is_given and self.taken is not self.best:
            return f"given by --take; the rule takes {self.best.name} ({percent(self.best.accuracy)})"
        return "given by --take, and the rule takes it too" if self.is_given else RULE


def choose(crossed: Crossed, take: str | None, groups: Sequence[str]) -> Choice:
    """Take the candidate of this name, or by :data:`RULE`.

    Nearest to the truth is what does best on videos that were left out. A rule that takes a simpler candidate
    within a standard error loses what it could have had, and its cost is small here: all have been trained.
    The accuracy of the best of many is a little too high, for the highest one is taken for its luck too; the
    test's is not.

    Args:
        crossed: the candidates.
        take: the name of one; None for the rule's.
        groups: of each training video; empty if they are not known.

    Raises:
        CallError: no candidate of this name, or one that was left out.
    """
    by_name = {result.name: result for result in crossed.results}
    best = max(crossed.results, key=lambda one: one.accuracy)  # of equals the first
    if take is not None and take not in by_name:
        check_name(take)
        why = crossed.left_out.get(take, "it was not tried")
        raise CallError(f"--take {take}: {why}; those that were: {', '.join(by_name)}")
    taken = best if take is None else by_name[take]
    others = (one for one in crossed.results if one is not taken)
    alike = tuple(one.name for one in others if paired_p(taken.right, one.right, groups) > 0.05)
    return Choice(taken, take is not None, best, alike)


def percent(share: float) -> str:
    """As 83.3 %."""
    return f"{100 * share:.1f} %"


def table_lines(crossed: Crossed, taken: str) -> list[str]:
    """A table that has room in 40 columns."""
    lines = [f"  {'candidate':18}% 95 % interval time"]
    for one in crossed.results:
        mark = "*" if one.name == taken else " "
        lines.append(
            f"{mark} {one.name:13}{100 * one.accuracy:6.1f}{interval_words(one.interval):>14}"
            f"{minutes(one.seconds):>5}"
        )
    return lines


def choice_text(
    videos: OwnVideos, folds: Folds, crossed: Crossed, choice: Choice, tested: Sequence[str]
) -> str:
    """All of it as Markdown."""
    unit = f"{len(set(videos.groups))} groups" if videos.groups else "no groups given"
    lines = [
        "# What was chosen",
        "",
        f"**{choice.taken.name}**: {choice.why}.",
        "",
        f"{len(videos.train)} training videos of {len(videos.labels)} classes, {unit}; cross-validation: "
        f"{folds.described}, the same for all. The test videos had no part in it.",
        "",
        "| candidate | accuracy % | 95 % interval | right | time |",
        "|---|---:|---:|---:|---:|",
    ]
    for one in crossed.results:
        name = f"**{one.name}**" if one is choice.taken else one.name
        lines.append(
            f"| {name} | {100 * one.accuracy:.1f} | {interval_words(one.interval)} | "
            f"{int(one.right.sum())} of {len(one.right)} | {minutes(one.seconds)} |"
        )
    features = ", ".join(f"{name} {minutes(spent)}" for name, spent in crossed.feature_seconds.items())
    lines += [
        "",
        "Time: of a candidate's trainings, added up; as many go at once as there are cores. Features that "
        f"all of them share, computed in the last call: {features}.",
    ]
    if crossed.left_out:
        lines += ["", *(f"{name} is left out: {why}." for name, why in crossed.left_out.items())]
    lines += ["", alike_words(crossed, choice), "", *tested]
    return "\n".join(lines) + "\n"


def alike_words(crossed: Crossed, choice: Choice) -> str:
    """Which candidates may be as good."""
    if len(crossed.results) == 1:
        return "No other was tried."
    best_of = "The accuracy of the best of several is a little too high: believe the test's."
    if not choice.alike:
        return f"These videos tell it apart from all others (p ≤ 0.05). {best_of}"
    return f"These videos do not tell it apart from {', '.join(choice.alike)} (p > 0.05). {best_of}"


def write_choice(place: Path, text: str, values: dict[str, Any]) -> None:
    """Write choice.md and choice.json."""
    write_text(place / "choice.md", text)
    write_json(str(place / "choice.json"), values)


def choice_values(crossed: Crossed, choice: Choice, folds: Folds) -> dict[str, Any]:
    """What choice.json says of the choice; metrics in percent."""
    return {
        "taken": choice.taken.name,
        "why": choice.why,
        "rule_takes": choice.best.name,
        "cross_validation": folds.described,
        "candidates": [one.values() for one in crossed.results],
        "left_out": crossed.left_out,
        "not_told_apart": list(choice.alike),
    }
