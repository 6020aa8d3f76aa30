"""The table of the real clips, in Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attcell._files import write_text
from attcell.metrics.statistics import holm, mcnemar, sign_flip
from benchmarks.clip_sets import ClipSet
from benchmarks.machine import machine
from benchmarks.nested import leave_one_out

_COMPARED = (
    ("TAN", "averaging"),
    ("TAN: frame alone", "averaging: frame alone"),
    ("TAN: flow alone", "averaging: flow alone"),
    ("TAN", "TAN: flow alone"),
    ("STAN frame", "SAN frame"),
    ("STAN frame", "SVM frame"),
    ("STAN frame", "file header only"),
    ("STAN late", "STAN frame"),
    ("STAN late", "STAN flow"),
    ("STAN early", "SAN early"),
    ("STAN late", "SAN late"),
    ("STAN late", "STAN early"),
    ("STAN late", "SVM both"),
    ("STAN late", "file header only"),
)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run gave.

    Attributes:
        clips: the data set.
        streams: that were used.
        seeds: S of them.
        predictions: method → (S, N) classes.
        choices: method → group → the choice that inner validation made, in words.
        protocol: how it was done, a sentence each.
        seconds: what took how long, by name.
    """

    clips: ClipSet
    streams: tuple[str, ...]
    seeds: tuple[int, ...]
    predictions: dict[str, np.ndarray]
    choices: dict[str, dict[str, str]]
    protocol: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def compared(self) -> list[tuple[str, str]]:
        """The pairs of methods that are compared, of those that were run."""
        return [pair for pair in _COMPARED if set(pair) <= self.predictions.keys()]

    def right(self, method: str) -> np.ndarray:
        """(S, N): is the prediction right?"""
        return self.predictions[method] == np.array([record.label for record in self.clips.records])

    def fold_accuracy(self, method: str) -> np.ndarray:
        """(S, F) accuracy in percent."""
        right = self.right(method)
        folds = leave_one_out(self.clips.groups)
        return 100 * np.stack([right[:, list(fold.test)].mean(1) for fold in folds], axis=1)


def markdown(outcome: Outcome) -> str:
    """The whole report."""
    parts = [
        f"# {outcome.clips.name}: {' and '.join(outcome.streams)}, leave one {outcome.clips.group_word} out",
        _figures_table(outcome),
        "Accuracy in percent: the mean over the folds, then mean ± standard deviation over the seeds "
        f"{', '.join(map(str, outcome.seeds))}.",
        f"## Folds\n\n{_fold_table(outcome)}",
        f"## Paired comparisons\n\n{_comparisons(outcome)}",
        "## Protocol\n\n" + "\n".join(f"- {line}" for line in _protocol(outcome)),
        *([f"## Choices made by inner validation\n\n{_choices(outcome)}"] if outcome.choices else []),
        f"## Time\n\n{machine()}. Feature maps that are kept already take 0 s.\n\n"
        + "\n".join(f"- {name}: {value:.0f} s" for name, value in outcome.seconds.items()),
    ]
    return "\n\n".join(parts) + "\n"


def write(outcome: Outcome, folder: Path, name: str) -> None:
    """Write ``NAME.md`` and ``NAME.json``."""
    write_text(folder / f"{name}.md", markdown(outcome))
    write_text(folder / f"{name}.json", json.dumps(_as_dict(outcome), indent=1) + "\n")


def _figures_table(outcome: Outcome) -> str:
    seeds = [f"seed {seed}" for seed in outcome.seeds]
    rows = []
    for method in outcome.predictions:
        means = outcome.fold_accuracy(method).mean(1)
        rows.append(
            [method, f"{means.mean():.1f} ± {_deviation(means):.1f}", *(f"{mean:.1f}" for mean in means)]
        )
    return _table(["method", "accuracy", *seeds], rows)


def _fold_table(outcome: Outcome) -> str:
    methods = list(outcome.predictions)
    per_fold = {method: outcome.fold_accuracy(method).mean(0) for method in methods}
    folds = leave_one_out(outcome.clips.groups)
    rows = [
        [fold.group, str(len(fold.test)), *(f"{per_fold[method][row]:.1f}" for method in methods)]
        for row, fold in enumerate(folds)
    ]
    mean = [
        "**mean**",
        str(len(outcome.clips.records)),
        *(f"{per_fold[name].mean():.1f}" for name in methods),
    ]
    return _table([outcome.clips.group_word, "videos", *methods], [*rows, mean])


def _differences(outcome: Outcome, method: str, rival: str) -> np.ndarray:
    """(S, F) points of accuracy."""
    return outcome.fold_accuracy(method) - outcome.fold_accuracy(rival)


def _p_values(outcome: Outcome) -> list[tuple[float, float]]:
    """(p, p corrected for the number of comparisons) of each comparison."""
    plain = [sign_flip(_differences(outcome, *pair).mean(0)) for pair in outcome.compared]
    return list(zip(plain, holm(plain), strict=True))


def _comparisons(outcome: Outcome) -> str:
    lines = []
    for (method, rival), (p, corrected) in zip(outcome.compared, _p_values(outcome), strict=True):
        difference = _differences(outcome, method, rival)
        verdict = "established at the 5% level" if corrected < 0.05 else "not established at the 5% level"
        seeds = "; ".join(
            f"seed {seed}: {only} against {other}, p = {value:.3f}"
            for seed, (only, other, value) in _mcnemar_by_seed(outcome, method, rival)
        )
        lines.append(
            f"- **{method} − {rival}: {difference.mean():+.1f} points** (deviation over seeds "
            f"{_deviation(difference.mean(1)):.1f}), {verdict}: exact sign-flip over folds, p = {p:.3f}, "
            f"corrected {corrected:.3f}. Videos that only one of them gets right, exact McNemar: {seeds}."
        )
    return "\n".join(lines)


def _mcnemar_by_seed(outcome: Outcome, method: str, rival: str) -> list[tuple[int, tuple[int, int, float]]]:
    pairs = zip(outcome.seeds, outcome.right(method), outcome.right(rival), strict=True)
    return [(seed, mcnemar(right, rival_right)) for seed, right, rival_right in pairs]


def _protocol(outcome: Outcome) -> list[str]:
    return [
        *outcome.protocol,
        "Paired test: differences of fold accuracies, averaged over seeds, exact sign-flip over folds, with "
        f"Holm's correction for {len(outcome.compared)} comparisons. McNemar's test by seed treats videos as "
        "independent, which those of one fold are not quite, and is not corrected.",
    ]


def _choices(outcome: Outcome) -> str:
    lines = []
    for method, made in outcome.choices.items():
        by_choice: dict[str, list[str]] = {}
        for group, choice in made.items():
            by_choice.setdefault(choice, []).append(group)
        lines += [f"- {method}: {choice} for {', '.join(groups)}" for choice, groups in by_choice.items()]
    return "\n".join(lines)


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    clips = outcome.clips
    figures = {}
    for method in outcome.predictions:
        folds = outcome.fold_accuracy(method)
        means = folds.mean(1)
        figures[method] = {
            "mean": means.mean(),
            "deviation_over_seeds": _deviation(means),
            "by_seed": means.tolist(),
            "by_fold_and_seed": dict(zip(clips.group_names, folds.T.tolist(), strict=True)),
        }
    return {
        "data_set": clips.name,
        "seeds": list(outcome.seeds),
        "accuracy": figures,
        "paired": [
            {
                "method": method,
                "rival": rival,
                "points": _differences(outcome, method, rival).mean(),
                "sign_flip_p": p,
                "sign_flip_p_corrected": corrected,
                "mcnemar_by_seed": _mcnemar_by_seed(outcome, method, rival),
            }
            for (method, rival), (p, corrected) in zip(outcome.compared, _p_values(outcome), strict=True)
        ],
        "protocol": _protocol(outcome),
        "choices": outcome.choices,
        "seconds": outcome.seconds,
        "videos": {
            record.id: {
                "label": clips.labels[record.label],
                **{
                    name: [clips.labels[row[i]] for row in rows] for name, rows in outcome.predictions.items()
                },
            }
            for i, record in enumerate(clips.records)
        },
    }


def _deviation(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
