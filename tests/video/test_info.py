"""Time stamps to seconds, whatever the stamps are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attcell.video.info import frame_times

STAMP = st.none() | st.integers(-1000, 100_000)


def test_good_stamps_are_taken_as_they_are():
    seconds, end, is_exact = frame_times([3003, 6006, 9009], [0, 1, 2], (1, 90000), 25, 3003)
    assert seconds.tolist() == [3003 / 90000, 6006 / 90000, 9009 / 90000]
    assert end == 12012 / 90000
    assert is_exact


def test_an_unknown_last_duration_is_the_usual_step():
    assert frame_times([0, 2, 4, 9], [None] * 4, (1, 10), 25, 0)[1] == pytest.approx(1.1)


def test_gaps_are_filled_evenly_and_the_tail_goes_on():
    seconds, end, is_exact = frame_times([None, 10, 10, 30, 5, 6], [None] * 6, (1, 10), 25, 1)
    np.testing.assert_allclose(seconds, [0, 1, 2, 3, 4, 5])
    assert end == pytest.approx(6)
    assert not is_exact


def test_decoding_stamps_stand_in_where_presentation_stamps_run_backwards():
    seconds, _, is_exact = frame_times(
        [1, 4, 6, 5, 7, 9, 8, None], [3, 4, 5, 6, 7, 8, 9, None], (1, 10), 25, 1
    )
    np.testing.assert_allclose(seconds, np.arange(3, 11) / 10)
    assert not is_exact


@given(st.lists(st.tuples(STAMP, STAMP), min_size=1, max_size=30), st.integers(0, 50))
def test_times_always_increase(stamps, last_ticks):
    pts, dts = zip(*stamps, strict=True)
    seconds, end, _ = frame_times(pts, dts, (1, 1000), 25, last_ticks)
    assert seconds.shape == (len(pts),)
    assert (np.diff(seconds) > 0).all()
    assert end > seconds[-1]
