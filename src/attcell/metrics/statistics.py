"""Intervals of accuracies, paired tests on the same videos, and figures over several runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float


def accuracy_interval(
    right: Bool[np.ndarray, " N"], groups: Sequence[str] = (), level: float = 0.95
) -> tuple[float, float]:
    """The interval in which an accuracy lies, both ends from 0 to 1: Wilson's.

    Where videos come in groups, each counts for as much less as the groups scatter: Wilson's interval is of
    the number of independent videos that would scatter as the groups do (Korn and Graubard 1998, Dean and
    Pagano 2015), with Student's t for their number. Where all videos are right, or none is, nothing scatters,
    and each group counts once. One group tells nothing of others: its interval is all from 0 to 1.

    Args:
        right: whether each video is right, at least one.
        groups: what each video belongs to; empty if that is not known.
        level: how often the interval holds the accuracy.
    """
    from scipy.stats import norm, t

    share, num = float(right.mean()), float(len(right))
    z = float(norm.ppf((1 + level) / 2))
    if groups:
        places = np.unique(np.array(groups), return_inverse=True)[1]
        num_groups = int(places.max()) + 1
        if num_groups == 1:
            return 0.0, 1.0
        off = np.bincount(places, right - share)
        variance = float(off @ off) / num**2 * num_groups / (num_groups - 1)
        even = share * (1 - share)
        num = min(num, even / variance if even and variance else num if even else num_groups)
        num *= (z / float(t.ppf((1 + level) / 2, num_groups - 1))) ** 2
    middle, width = share + z**2 / (2 * num), z * (share * (1 - share) / num + z**2 / (4 * num**2)) ** 0.5
    scale = 1 + z**2 / num
    return max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale)


def mcnemar(right: Bool[np.ndarray, " N"], rival_right: Bool[np.ndarray, " N"]) -> tuple[int, int, float]:
    """Exact McNemar test: the videos that only the first gets right, those that only the rival does, and p.

    p is two-sided: of the videos that just one of them gets right, each had half the chance to be either's.
    """
    from scipy.stats import binomtest

    only, rival_only = int((right & ~rival_right).sum()), int((rival_right & ~right).sum())
    p = float(binomtest(only, only + rival_only).pvalue) if only + rival_only else 1.0
    return only, rival_only, p


def paired_p(
    right: Bool[np.ndarray, " N"], rival_right: Bool[np.ndarray, " N"], groups: Sequence[str] = ()
) -> float:
    """The two-sided p of two methods being as good: McNemar's; where videos come in groups, Student's of the
    difference over the groups, whose videos may be right or wrong together. 1 with one group.
    """
    from scipy.stats import t

    if not groups:
        return mcnemar(right, rival_right)[2]
    places = np.unique(np.array(groups), return_inverse=True)[1]
    num_groups, differences = int(places.max()) + 1, right.astype(float) - rival_right
    if num_groups < 2 or differences.mean() == 0:
        return 1.0
    off = np.bincount(places, differences - differences.mean())
    error = (float(off @ off) * num_groups / (num_groups - 1)) ** 0.5 / len(right)
    if error == 0:
        return 0.0  # every group says the same
    return float(2 * t.sf(abs(differences.mean()) / error, num_groups - 1))


def sign_flip(differences: Float[np.ndarray, " F"]) -> float:
    """The two-sided p of the exact sign-flip test that differences, one a fold, have mean 0.

    All 2^F ways to flip signs are counted. The videos of a fold share an actor or a sequence, and the seeds
    share the videos, so the fold, averaged over seeds, is the smallest unit that may count as independent.
    """
    from scipy.stats import permutation_test

    if len(differences) < 2:
        return 1.0  # both signs are as far from 0
    found = permutation_test(
        (differences,),
        lambda values, axis: values.sum(axis=axis).round(9),  # sums that are equal but for rounding are equal
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    return float(found.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction: each p so adjusted that among all of them a false finding stays below its level."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def mean_and_deviation(values: Sequence[float]) -> str:
    """Mean ± sample deviation, to one decimal; the value alone where there is one."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"
