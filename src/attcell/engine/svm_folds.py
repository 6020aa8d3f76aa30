"""Which training videos are left out together when the linear SVM is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from sklearn.model_selection import GroupKFold

MOST_FOLDS = 5
MOST_GROUPS_ONE_BY_ONE = 10


@dataclass(frozen=True)
class Folds:
    """Parts of the training videos, each left out once; none if nothing can be validated.

    Attributes:
        parts: places of the videos of each part; every video is in one.
        described: in words.
    """

    parts: tuple[Int[np.ndarray, " _"], ...]
    described: str


def make_folds(truth: Bool[np.ndarray, "N A"], groups: Sequence[str], seed: int) -> Folds:
    """Cut training videos into parts to leave out in turn.

    Where groups are known no group is cut: up to 10 groups are left out one by one, more in 5 parts of
    about the same size. Else there are 5 parts, each with its share of every class, or as many as the
    smallest class has videos. Classes of a single video do not count for that: when it is left out, nothing
    is known of its class. Videos of several classes are dealt by the set of their classes.

    Args:
        truth: which classes each video has.
        groups: of each video; empty if they are not known.
        seed: which videos of a class come together; of no account for groups.
    """
    if groups:
        return _by_groups(np.array(groups))
    sizes = truth.sum(axis=0)
    number = min(MOST_FOLDS, int(min(sizes[sizes > 1], default=0)))
    if number < 2:
        return Folds((), "no class has two training videos to validate by")
    return Folds(_dealt(truth, number, seed), f"{number} parts with a share of every class, one left out")


def _by_groups(groups: np.ndarray) -> Folds:
    names = np.unique(groups)
    if len(names) < 2:
        return Folds((), f"all training videos are of one group, {names[0]}, and none is left to validate by")
    if len(names) <= MOST_GROUPS_ONE_BY_ONE:
        parts = tuple(np.flatnonzero(groups == name) for name in names)
        return Folds(parts, f"{len(names)} groups, one left out")
    splits = GroupKFold(MOST_FOLDS).split(groups, groups=groups)
    described = f"{MOST_FOLDS} parts of whole groups, one left out"
    return Folds(tuple(left_out for _, left_out in splits), described)


def _dealt(truth: Bool[np.ndarray, "N A"], number: int, seed: int) -> tuple[Int[np.ndarray, " _"], ...]:
    """Shuffle, sort by the set of classes, and deal one by one."""
    shuffled = np.random.default_rng(seed).permutation(len(truth))
    _, sets = np.unique(truth, axis=0, return_inverse=True)
    order = shuffled[np.argsort(sets[shuffled], kind="stable")]
    return tuple(np.sort(order[first::number]) for first in range(number))
