"""Rows that are added a few at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attcell.nn.whole_video import Growing


@given(st.lists(st.integers(1, 700), min_size=1, max_size=12))
def test_all_rows_are_kept_in_their_order(counts: list[int]) -> None:
    rows = np.arange(2 * sum(counts), dtype=np.float16).reshape(-1, 2)
    growing = Growing()
    start = 0
    for count in counts:
        growing.add(rows[start : start + count])
        start += count
    assert growing.rows.dtype == np.float16
    np.testing.assert_array_equal(growing.rows, rows)


def test_what_was_given_may_change_afterwards() -> None:
    growing, given_rows = Growing(), np.ones((2, 3))
    growing.add(given_rows)
    given_rows[:] = 0
    np.testing.assert_array_equal(growing.rows, np.ones((2, 3)))
