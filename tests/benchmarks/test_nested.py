"""Who is left out of what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.nested import Weighed, best, leave_one_out, ring_pairs, weigh, without_pair

GROUPS = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=30)


def of(groups: list[str], places: tuple[int, ...]) -> set[str]:
    return {groups[place] for place in places}


@given(GROUPS)
def test_every_video_is_left_out_once_with_its_whole_group(groups):
    folds = leave_one_out(groups)
    assert sorted(place for fold in folds for place in fold.test) == list(range(len(groups)))
    for fold in folds:
        assert of(groups, fold.test) == {fold.group}
        assert of(groups, fold.train) == set(groups) - {fold.group}
        assert sorted(fold.train + fold.test) == list(range(len(groups)))


@given(GROUPS)
def test_a_pair_is_left_out_whole(groups):
    for pair in ring_pairs(groups):
        train, test = without_pair(groups, pair)
        assert of(groups, test) == set(pair)
        assert of(groups, train) == set(groups) - set(pair)
        assert sorted(train + test) == list(range(len(groups)))


def test_in_the_ring_each_group_stands_between_two_others():
    assert ring_pairs("bbacca") == (("b", "a"), ("a", "c"), ("c", "b"))
    pairs = ring_pairs("abcdefg")
    for group in "abcdefg":
        neighbours = [set(pair) - {group} for pair in pairs if group in pair]
        assert len(neighbours) == 2
        assert len(set.union(*neighbours)) == 2


def test_weighing():
    scores = np.array([[0.5, 0.5, 0], [0.25, 0.25, 0.5], [1, 0, 0]])
    found = weigh(scores, np.array([0, 2, 1]))
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.log_loss == pytest.approx(-np.log([0.5, 0.5, 1e-12]).mean())


def test_the_best_is_the_most_accurate_then_the_surest_then_the_first():
    weighed = {"a": Weighed(0.5, 1.0), "b": Weighed(0.7, 3.0), "c": Weighed(0.7, 2.0), "d": Weighed(0.7, 2.0)}
    assert best("abcd", weighed.__getitem__) == "c"
    assert best("a", weighed.__getitem__) == "a"
