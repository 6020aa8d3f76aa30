"""Leave one group out, with every choice made by validation among the other groups.

A candidate for a fold is weighed on videos of the fold's training groups, by models that saw neither these
videos nor the left-out group. For networks each fold has two such models. The groups stand in a ring: a model
trained without groups i and i+1 weighs the candidate for fold i by its scores of group i+1, and for fold i+1
by its scores of group i.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Candidate = TypeVar("Candidate")
Places = tuple[int, ...]


@dataclass(frozen=True)
class Weighed:
    """How a candidate did on a fold's validation videos."""

    accuracy: float
    log_loss: float

    def beats(self, other: Weighed) -> bool:
        """More accurate, or with the lower log-loss where accuracy is the same."""
        return (self.accuracy, -self.log_loss) > (other.accuracy, -other.log_loss)


@dataclass(frozen=True)
class Fold:
    """One group left out: the places of its videos, and of all others."""

    group: str
    train: Places
    test: Places


def leave_one_out(groups: Sequence[str]) -> tuple[Fold, ...]:
    """A fold for every group, in the order of their first video."""
    return tuple(
        Fold(group, _places(groups, without={group}), _places(groups, only=group))
        for group in dict.fromkeys(groups)
    )


def ring_pairs(groups: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(i, i+1) for every group i, the last with the first."""
    names = tuple(dict.fromkeys(groups))
    return tuple(zip(names, names[1:] + names[:1], strict=True))


def without_pair(groups: Sequence[str], pair: tuple[str, str]) -> tuple[Places, Places]:
    """Places of the videos to train on without a pair of groups, and of those in the pair."""
    test = tuple(place for place, group in enumerate(groups) if group in pair)
    return _places(groups, without=set(pair)), test


def weigh(scores: np.ndarray, labels: np.ndarray) -> Weighed:
    """Weigh (N, A) probabilities of validation videos against their (N,) classes."""
    true = scores[np.arange(len(labels)), labels]
    return Weighed(
        accuracy=float(np.mean(scores.argmax(1) == labels)),
        log_loss=float(-np.log(np.maximum(true, 1e-12)).mean()),
    )


def best(candidates: Sequence[Candidate], weighed: Callable[[Candidate], Weighed]) -> Candidate:
    """The candidate that no other beats; of equals the first."""
    chosen = candidates[0]
    for candidate in candidates[1:]:
        if weighed(candidate).beats(weighed(chosen)):
            chosen = candidate
    return chosen


def _places(groups: Sequence[str], *, without: set[str] | None = None, only: str | None = None) -> Places:
    return tuple(
        place
        for place, group in enumerate(groups)
        if (only is None or group == only) and (without is None or group not in without)
    )
