"""Is one method better than another on the same videos?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import comb

import numpy as np


def mcnemar(right: np.ndarray, rival_right: np.ndarray) -> tuple[int, int, float]:
    """Exact McNemar test on (N,) booleans: videos only the first gets right, only the rival, two-sided p."""
    only, rival_only = int((right & ~rival_right).sum()), int((rival_right & ~right).sum())
    differing = only + rival_only
    tail = sum(comb(differing, count) for count in range(min(only, rival_only) + 1)) / 2**differing
    return only, rival_only, min(1.0, 2 * tail)


def sign_flip(differences: np.ndarray) -> float:
    """Exact two-sided sign-flip test that (F,) differences, one a fold, have mean 0.

    All 2^F ways to flip signs are counted. The videos of a fold share an actor or a sequence, and the seeds
    share the videos, so the fold, averaged over seeds, is the smallest unit that may count as independent.
    """
    signs = np.array(list(product((1.0, -1.0), repeat=len(differences))))
    means = np.abs(signs @ differences)
    return float(np.mean(means >= np.abs(differences.sum()) - 1e-9))


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
