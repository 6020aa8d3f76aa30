"""Scores for tests, and how they are compared."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from attcell.results.scores import Scores

LABELS = ("run", "sit, down", "wave")


def some(**changes) -> Scores:
    values = {
        "source": "x",
        "labels": LABELS,
        "videos": ("a b.avi", "ü.mp4"),
        "scores": np.array([[0.2, 0.3, 0.5], [0.7, 0.1, 0.2]]),
        "truth": (("wave",), ("run",)),
    }
    return Scores(**{**values, **changes})


def assert_same(one: Scores, other: Scores) -> None:
    assert (one.labels, one.videos, one.truth) == (other.labels, other.videos, other.truth)
    np.testing.assert_array_equal(one.scores, other.scores)


names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)
