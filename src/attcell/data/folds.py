"""Which videos are left out together: folds of the training videos in turn, and a part for a test.

Whole groups stay together: videos of one scene, actor or film tell of each other.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

MOST_FOLDS = 5
MOST_GROUPS_ONE_BY_ONE = 10


@dataclass(frozen=True)
class Folds:
    """Folds of the training videos, each left out once; none if nothing can be validated.

    Attributes:
        left_out: places of the videos of each fold; every video is in one.
        described: in words.
    """

    left_out: tuple[Int[np.ndarray, " _"], ...]
    described: str


def make_folds(
    truth: Bool[np.ndarray, "N A"],
    groups: Sequence[str],
    seed: int,
    most_one_by_one: int = MOST_GROUPS_ONE_BY_ONE,
) -> Folds:
    """Cut training videos into folds to leave out in turn.

    Where groups are known no group is cut: up to 10 groups are left out one by one, more in 5 folds of
    about the same size and with about the same share of every class. Else there are 5 folds, each with its
    share of every class, or as many as the smallest class has videos. Classes of a single video do not count
    for that: when it is left out, nothing is known of its class. Videos of several classes are dealt by the
    set of their classes.

    Args:
        truth: which classes each video has.
        groups: of each video; empty if they are not known.
        seed: which videos of a class, or which groups, come together.
        most_one_by_one: up to so many groups are left out one by one.
    """
    if groups:
        return _by_groups(truth, np.array(groups), seed, most_one_by_one)
    sizes = truth.sum(axis=0)
    number = min(MOST_FOLDS, int(min(sizes[sizes > 1], default=0)))
    if number < 2:
        return Folds((), "no class has two training videos to validate by")
    described = f"{number} folds with a share of every class, one left out"
    return Folds(_shares(truth, number, seed), described)


def _by_groups(truth: np.ndarray, groups: np.ndarray, seed: int, most_one_by_one: int) -> Folds:
    names = np.unique(groups)
    if len(names) < 2:
        return Folds((), f"all training videos are of one group, {names[0]}, and none is left to validate by")
    one_by_one = len(names) <= most_one_by_one
    left_out = (
        tuple(np.flatnonzero(groups == name) for name in names)
        if one_by_one
        else _whole_groups(truth, groups, MOST_FOLDS, seed)
    )
    what = f"{len(names)} groups" if one_by_one else f"{len(left_out)} folds of whole groups"
    return Folds(left_out, f"{what}, one left out")


def _shares(truth: np.ndarray, number: int, seed: int) -> tuple[np.ndarray, ...]:
    """So many parts, each with its share of every class."""
    from sklearn.model_selection import KFold, StratifiedKFold

    _, sets, videos = np.unique(truth, axis=0, return_inverse=True, return_counts=True)
    # scikit-learn refuses to stratify where no set of classes has a video for each part
    splitter = StratifiedKFold if videos.max() >= number else KFold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a set that has fewer videos than there are parts
        splits = list(splitter(number, shuffle=True, random_state=seed % 2**32).split(sets, sets))
    return tuple(left_out for _, left_out in splits)


def _whole_groups(truth: np.ndarray, groups: np.ndarray, number: int, seed: int) -> tuple[np.ndarray, ...]:
    """So many parts of whole groups, none of them empty, with about their share of every class."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    _, sets, videos = np.unique(truth, axis=0, return_inverse=True, return_counts=True)
    parts: tuple[np.ndarray, ...] = ()
    if videos.max() >= number:  # else scikit-learn refuses to stratify
        splitter = StratifiedGroupKFold(number, shuffle=True, random_state=seed % 2**32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            parts = tuple(left_out for _, left_out in splitter.split(sets, sets, groups))
    if not parts or not all(map(len, parts)):  # a few large groups may leave a part empty
        parts = tuple(left_out for _, left_out in GroupKFold(number).split(sets, groups=groups))
    return parts


def part_to_test(truth: Bool[np.ndarray, "N A"], groups: Sequence[str], seed: int) -> Int[np.ndarray, " _"]:
    """The places of about a fifth of the videos, in whole groups where they are known, for a test; of each
    class two videos, or videos of two groups, are left to learn from and to validate by.

    Returns:
        Empty where no such part is.

    Args:
        truth: which classes each video has.
        groups: of each video; empty if they are not known.
        seed: which videos, or groups, these are.
    """
    units = np.unique(np.array(groups) if groups else np.arange(len(truth)).astype(str), return_inverse=True)[
        1
    ]
    number = min(MOST_FOLDS, int(units.max()) + 1) if len(units) else 0
    if number < 2:
        return np.empty(0, dtype=int)
    parts = _whole_groups(truth, units, number, seed) if groups else _shares(truth, number, seed)

    def fits(part: np.ndarray) -> bool:
        left = np.setdiff1d(np.arange(len(truth)), part)
        return all(len(np.unique(units[left][truth[left, label]])) > 1 for label in range(truth.shape[1]))

    def misfit(part: np.ndarray) -> tuple[int, float]:
        missing = int((~truth[part].any(axis=0)).sum())
        return missing, abs(len(part) - len(truth) / MOST_FOLDS)

    return min(filter(fits, parts), key=misfit, default=np.empty(0, dtype=int))
