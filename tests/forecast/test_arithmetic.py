"""From what one takes to what all take."""

from __future__ import annotations

import pytest

from attcell.forecast.arithmetic import Phase, Term, iteration_pace, total_seconds, with_reading
from attcell.forecast.pace import Pace

SHARED = Term(13_320, "videos", Pace(0.5, 0.03, 7), bytes=2e6)
ALONE = Term(30, "checkpoints", Pace(2.0, 0.0, 1), divides=False)


def test_a_term_on_one_machine_and_on_four():
    assert (SHARED.seconds(), SHARED.spread()) == pytest.approx((6660, 399.6))
    assert (SHARED.seconds(4), SHARED.spread(4)) == pytest.approx((1665, 99.9))
    assert ALONE.seconds(4) == 60


def test_none_of_what_cannot_be_told_is_nothing():
    assert Term(0, "videos", Pace(1.0, float("inf"), 1)).spread() == 0


def test_a_phase_sums_its_terms():
    other = Term(100, "iterations", Pace(3.0, 4.0, 5))
    phase = Phase("train", (Term(10, "iterations", Pace(1.0, 30.0, 5)), other, ALONE))
    assert phase.seconds() == 10 + 300 + 60
    assert phase.spread() == pytest.approx(500)  # √(300² + 400²)
    assert Phase("flow", (SHARED,)).bytes == 13_320 * 2e6


def test_phases_follow_each_other():
    phases = [Phase("flow", (SHARED,)), Phase("train", (ALONE,))]
    assert total_seconds(phases, 4) == pytest.approx((1665 + 60, 99.9))


def test_an_iteration_of_parts_on_devices():
    assert iteration_pace(Pace(2.0, 0.2, 9), 4, 128, 1) == Pace(64.0, pytest.approx(6.4), 9)
    assert iteration_pace(Pace(2.0, 0.2, 9), 4, 128, 8).seconds == 8.0


def test_features_that_fit_into_memory_are_read_from_there():
    pace = Pace(0.1, 0.01, 9)
    assert with_reading(pace, read_bytes=128e6, kept_bytes=8e9, memory=16e9, rate=400e6) == pace
    slower = with_reading(pace, read_bytes=128e6, kept_bytes=4.5e12, memory=16e9, rate=400e6)
    assert slower.seconds == pytest.approx(0.1 + 0.32)
