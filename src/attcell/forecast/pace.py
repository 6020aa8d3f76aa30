"""How long one of many takes, from the times at which work on many said how far it is."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np

from attcell._log import heard_by


@dataclass(frozen=True)
class Pace:
    """What one of many takes, once all workers are busy.

    Attributes:
        seconds: of one, in the mean.
        spread: half the width of the mean's 95 % interval; infinite where one alone was measured.
        num: how many were measured.
    """

    seconds: float
    spread: float
    num: int

    def times(self, factor: float) -> Pace:
        """The pace of so many together."""
        return Pace(self.seconds * factor, self.spread * factor, self.num)


def pace_of(
    times: Sequence[float], side_by_side: int = 1, sizes: Sequence[float] | None = None
) -> Pace | None:
    """The pace of work in which several are done side by side; None of fewer than two.

    The first ones bring what happens once (imports, processes that begin, kernels that are compiled), and
    while the last ones are done some workers have nothing left: neither count.

    Args:
        times: (n + 1,) seconds at which it began, and at which 1, 2, … n were done.
        side_by_side: workers.
        sizes: (n,) how large each was; then the pace is that of size 1. By default all are.
    """
    done = len(times) - 1
    if done < 2:
        return None
    first = max(1, min(side_by_side, done // 3))
    last = done - min(side_by_side - 1, done // 3)
    taken = np.diff(np.asarray(times, float))[first:last]
    of = np.ones(done) if sizes is None else np.asarray(sizes, float)
    weights = of[first:last]
    mean = float(taken.sum() / weights.sum())
    return Pace(mean, _half_interval(taken - mean * weights, float(weights.mean())), len(taken))


def _half_interval(residuals: np.ndarray, mean_size: float) -> float:
    """Of a ratio of means, by Student's t."""
    from scipy.stats import t

    num = len(residuals)
    if num < 2:
        return math.inf
    error = math.sqrt(float((residuals**2).sum()) / (num - 1) / num) / mean_size
    return float(t.ppf(0.975, num - 1)) * error


class Enough(Exception):
    """What was to be measured has been."""


@dataclass
class Clock:
    """When how much of some work was done, as its bar tells.

    Attributes:
        doing: what the bar calls the work.
        patience: seconds; then what is done is enough, if it is more than ``least``.
        least: so many are needed.
        at: (how much was done, when) in seconds, from the bar's beginning on.
    """

    doing: str
    patience: float = math.inf
    least: float = 0
    at: list[tuple[float, float]] = field(default_factory=list)

    def hear(self, doing: str, done: float) -> None:
        """Take what a bar tells."""
        if doing != self.doing:
            return
        now = time.perf_counter()
        self.at.append((done, now))
        if done >= self.least and now - self.at[0][1] > self.patience:
            raise Enough

    def times(self) -> list[float]:
        """(n + 1,) when it began, and when 1, 2, … n were done; parts of one may have been void."""
        if not self.at:
            return []
        done = np.maximum.accumulate([amount for amount, _ in self.at])
        when = np.array([second for _, second in self.at])
        levels = np.arange(int(done[0]), math.floor(done[-1] + 1e-6) + 1)
        return [float(when[np.searchsorted(done, level - 1e-6)]) for level in levels]


@contextmanager
def listening(clock: Clock) -> Iterator[None]:
    """Within this, the clock hears how far work is; when it has heard enough, the work ends."""
    with suppress(Enough), heard_by(clock.hear):
        yield
