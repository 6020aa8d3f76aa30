"""A picture of many trials: how good each was, and which values the good ones have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from attcell.report.colours import ACCENT, FAINT, INK, SOFT
from attcell.report.figures.style import axes_in_inches, new_figure, save, shortened, text_style

_AXIS_INCHES = 1.9  # from one vertical axis to the next
_HISTORY_INCHES, _PARALLEL_INCHES = 2.0, 3.0
_COLOURS = colormaps["Oranges"]
_FAINTEST = 0.25  # of the colours; a white line would not be seen
_LOG_FACTOR = 20.0  # from here on a range of positive numbers is drawn by factors


@dataclass(frozen=True)
class TriedValues:
    """One trial.

    Attributes:
        number: from 1 on.
        accuracy: from 0 to 1.
        values: of each key: a number, or the text of a choice.
    """

    number: int
    accuracy: float
    values: Mapping[str, str | int | float]


def trials_picture(trials: Sequence[TriedValues], path: Path, title: str) -> None:
    """Write a PNG: above, each trial's accuracy in their order, and the best so far; below, a vertical axis
    for each key and one for the accuracy, and a line for each trial, darker where it is better.

    Args:
        trials: at least one, all with the same keys.
        path: the PNG; written whole or not at all.
        title: what the picture is about.
    """
    keys = list(trials[0].values)
    across = max(4.6, _AXIS_INCHES * len(keys))
    width, height = across + 1.7, _HISTORY_INCHES + _PARALLEL_INCHES + 2.1
    figure = new_figure(width, height, dpi=120)
    heading = text_style(12) | {"va": "top", "fontweight": "bold"}
    figure.text(0.15 / width, 1 - 0.12 / height, title, **heading)
    _draw_history(axes_in_inches(figure, (0.8, _PARALLEL_INCHES + 1.6, across, _HISTORY_INCHES)), trials)
    _draw_parallel(axes_in_inches(figure, (0.8, 0.6, across, _PARALLEL_INCHES)), trials, keys)
    save(figure, path)


def _draw_history(axes: Axes, trials: Sequence[TriedValues]) -> None:
    numbers = [one.number for one in trials]
    percent = np.array([100 * one.accuracy for one in trials])
    axes.step(numbers, np.maximum.accumulate(percent), where="post", color=ACCENT, linewidth=1.5)
    axes.plot(numbers, percent, "o", color=SOFT, markersize=4)
    room = max(1.0, 0.08 * float(np.ptp(percent)))
    axes.set_ylim(percent.min() - room, percent.max() + room)
    axes.set_xlim(min(numbers) - 0.5, max(numbers) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("trial; the line is the best so far", **text_style(9, SOFT))
    axes.set_ylabel("accuracy %", **text_style(9, SOFT))
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8, labelcolor=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _draw_parallel(axes: Axes, trials: Sequence[TriedValues], keys: list[str]) -> None:
    accuracies = [100 * one.accuracy for one in trials]
    columns = [_Scale.of([one.values[key] for one in trials]) for key in keys] + [_Scale.of(accuracies)]
    rows = [[*(one.values[key] for key in keys), 100 * one.accuracy] for one in trials]
    for row in sorted(rows, key=lambda row: float(row[-1])):  # the best on top
        heights = [scale.height(value) for scale, value in zip(columns, row, strict=True)]
        shade = _FAINTEST + (1 - _FAINTEST) * columns[-1].height(row[-1])
        axes.plot(range(len(heights)), heights, color=_COLOURS(shade), linewidth=1.6)
    for place, (scale, name) in enumerate(zip(columns, [*keys, "accuracy %"], strict=True)):
        axes.axvline(place, color=INK, linewidth=0.8)
        for height, text in scale.ticks:
            ground = {"color": "white", "alpha": 0.8, "pad": 0.6}
            beside = text_style(8) | {"va": "center", "bbox": ground, "zorder": 5}
            axes.annotate(shortened(text, 16), (place, height), (4, 0), textcoords="offset points", **beside)
        below = text_style(8.5, SOFT) | {"ha": "center", "va": "top"}
        axes.annotate(_below(name), (place, 0), (0, -12), textcoords="offset points", **below)
    axes.set_xlim(-0.05, len(columns) - 0.75)
    axes.set_ylim(-0.03, 1.03)
    axes.set_axis_off()


def _below(key: str) -> str:
    """A key in two lines, of which the last part is the second."""
    section, _, last = key.rpartition(".")
    return f"{shortened(section, 22)}\n{shortened(last, 22)}" if section else key


@dataclass(frozen=True)
class _Scale:
    """Where values stand on an axis from 0 to 1.

    Attributes:
        names: of choices, upwards; empty for numbers.
        low: the least number.
        high: the largest.
        is_log: by factors.
    """

    names: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    is_log: bool = False

    @classmethod
    def of(cls, values: Sequence[str | int | float]) -> _Scale:
        if any(isinstance(value, str) for value in values):
            return cls(tuple(sorted({str(value) for value in values})))
        numbers = [float(value) for value in values]
        low, high = min(numbers), max(numbers)
        return cls((), low, high, low > 0 and high / low >= _LOG_FACTOR)

    def height(self, value: str | int | float) -> float:
        if self.names:
            return 0.5 if len(self.names) == 1 else self.names.index(str(value)) / (len(self.names) - 1)
        if self.low == self.high:
            return 0.5
        at, low, high = (
            np.log(each) if self.is_log else each for each in (float(value), self.low, self.high)
        )
        return float((at - low) / (high - low))

    @property
    def ticks(self) -> list[tuple[float, str]]:
        if self.names:
            return [(self.height(name), name) for name in self.names]
        ends = [self.low] if self.low == self.high else [self.low, self.high]
        return [(self.height(end), f"{end:.3g}") for end in ends]
