"""A claim of a paper, judged by figures of several seeds, by a rule that stands in the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from attcell.metrics.statistics import sign_flip

Figures = Mapping[str, Sequence[float]]  # name → the figure of every seed, in percent or points


@dataclass(frozen=True)
class Claim:
    """What is said to be better than what, and by how much.

    Attributes:
        said: the claim in words.
        source: the paper, and where in it.
        better: the figure that should be higher.
        worse: the figure that should be lower, of several that of the highest mean; none where ``better``
            alone is to reach the bound.
        bound: what the mean difference, or the mean figure, must reach; where it is 0 it must be above it.
        significance_level: of a paired test over the groups of videos; no test if None.
        is_expected: whether a claim that does not hold is an error. False for claims that are known not to
            show on such data, or about which nothing is known.
    """

    said: str
    source: str
    better: str
    worse: tuple[str, ...] = ()
    bound: float = 0.0
    is_expected: bool = True
    significance_level: float | None = None

    @property
    def rule(self) -> str:
        """As it stands in the table."""
        what = "mean difference" if self.worse else "mean"
        rule = f"{what} > 0" if self.bound == 0 else f"{what} ≥ {self.bound:g}"
        return rule if self.significance_level is None else f"{rule}, p ≤ {self.significance_level:g}"


@dataclass(frozen=True)
class Verdict:
    """A claim with its figures.

    Attributes:
        claim: what was judged.
        worse: the name of the figure that stood for the worse side.
        values: of the better side, by seed.
        rivals: of the worse side, by seed; empty where there is none.
        p: of the paired test, where the claim asks for one.
    """

    claim: Claim
    worse: str
    values: tuple[float, ...]
    rivals: tuple[float, ...]
    p: float | None = None

    @property
    def gaps(self) -> tuple[float, ...]:
        """The difference by seed, or the figure itself where there is no other side.

        A figure that no seed changes has one value, and stands against each seed's.
        """
        if not self.rivals:
            return self.values
        num_seeds = max(len(self.values), len(self.rivals))
        sides = [of * num_seeds if len(of) == 1 else of for of in (self.values, self.rivals)]
        return tuple(a - b for a, b in zip(*sides, strict=True))

    @property
    def is_held(self) -> bool:
        """By the claim's rule. A figure that is not a number holds nothing."""
        level = self.claim.significance_level
        if level is not None and not (self.p is not None and self.p <= level):
            return False
        return self._reaches(float(np.mean(self.gaps)))

    @property
    def is_held_throughout(self) -> bool:
        """With every seed by itself, and not only in the mean."""
        return self.is_held and all(map(self._reaches, self.gaps))

    def _reaches(self, gap: float) -> bool:
        return gap > 0 if self.claim.bound == 0 else gap >= self.claim.bound

    @property
    def outcome(self) -> str:
        """In words."""
        if not self.is_held:
            return "not held"
        return "held" if self.is_held_throughout else "held in the mean"

    @property
    def is_failure(self) -> bool:
        """It was expected to hold, and does not."""
        return self.claim.is_expected and not self.is_held


def judge(claim: Claim, figures: Figures, by_group: Figures | None = None) -> Verdict:
    """Look whether a claim holds.

    Args:
        claim: what is said.
        figures: name → the figure of every seed.
        by_group: name → the figure of every group of videos, the mean over the seeds; for claims that ask
            for a paired test.
    """
    worse = max(claim.worse, key=lambda name: float(np.mean(figures[name]))) if claim.worse else ""
    p = None
    if claim.significance_level is not None and by_group is not None:
        p = sign_flip(np.subtract(by_group[claim.better], by_group[worse]))
    return Verdict(
        claim,
        worse,
        tuple(float(value) for value in figures[claim.better]),
        tuple(float(value) for value in figures[worse]) if worse else (),
        p,
    )
