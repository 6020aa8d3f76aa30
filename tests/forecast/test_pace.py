"""The pace of work that goes on side by side, and the clock that hears of it."""

from __future__ import annotations

import math
import time

import pytest

from attcell._log import track
from attcell.forecast.pace import Clock, Pace, listening, pace_of


def test_the_first_one_does_not_count():
    assert pace_of([0, 9, 10, 11, 12, 13]) == Pace(1.0, 0.0, 4)


def test_two_side_by_side_end_in_pairs_and_the_last_one_is_alone():
    found = pace_of([0, 3, 3.5, 5, 5.5, 7, 7.5, 9, 9.5, 14], side_by_side=2)
    assert found is not None
    assert found.num == 6
    assert found.seconds == pytest.approx((9.5 - 3.5) / 6)


def test_the_interval_is_students_t():
    found = pace_of([0, 5, 6, 8, 9, 11])  # 1, 2, 1, 2 seconds
    assert found is not None
    assert found.seconds == 1.5
    assert found.spread == pytest.approx(3.182 * math.sqrt(1 / 3 / 4), rel=1e-3)


def test_the_pace_of_a_size():
    found = pace_of([0, 9, 11, 15, 21, 23], sizes=[7, 2, 4, 6, 2])
    assert found == Pace(1.0, 0.0, 4)


def test_too_few_have_no_pace_and_two_no_interval():
    assert pace_of([0, 1]) is None
    assert pace_of([]) is None
    assert pace_of([0, 1, 3]) == Pace(2.0, math.inf, 1)


def test_a_clock_hears_the_bar_of_its_work_alone():
    clock = Clock("counting")
    with listening(clock):
        assert list(track(iter("ab"), 2, "another")) == ["a", "b"]
        for _ in track(range(3), 3, "counting"):
            time.sleep(0.01)
    times = clock.times()
    assert len(times) == 4
    assert times[3] - times[0] >= 0.03
    assert list(track(range(2), 2, "counting")) == [0, 1]
    assert len(clock.times()) == 4


def test_work_ends_when_enough_was_heard():
    clock, done = Clock("counting", patience=0.02, least=2), []
    with listening(clock):
        for number in track(range(1000), 1000, "counting"):
            time.sleep(0.01)
            done.append(number)
    assert 2 <= len(done) < 20
    assert len(clock.times()) == len(done) + 1


def test_parts_of_videos_are_heard_and_what_was_void_is_not_twice():
    clock = Clock("flow")
    for amount in (0, 0.5, 1.25, 0.75, 1.5, 2.0):
        clock.hear("flow", amount)
    begun, first, second = clock.times()
    assert begun <= first <= second
    assert first == clock.at[2][1]
    assert second == clock.at[5][1]
