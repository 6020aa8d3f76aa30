"""Folds of training videos: each video once, groups whole, classes in their shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.data.folds import make_folds


def one_hot(labels, num_classes=None):
    return np.eye(num_classes or max(labels) + 1, dtype=bool)[labels]


def assert_each_video_once(folds, videos):
    assert sorted(np.concatenate(folds.left_out)) == list(range(videos))
    assert all(len(fold) for fold in folds.left_out)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 14), min_size=2, max_size=60), st.integers(0, 9))
def test_no_group_is_ever_cut(numbers, seed):
    groups = [f"actor {number}" for number in numbers]
    folds = make_folds(one_hot([0] * len(groups), 2), groups, seed)
    different = len(set(groups))
    if different == 1:
        assert folds.left_out == ()
        assert folds.described == (
            f"all training videos are of one group, {groups[0]}, and none is left to validate by"
        )
        return
    assert_each_video_once(folds, len(groups))
    for fold in folds.left_out:
        inside = {groups[place] for place in fold}
        assert inside.isdisjoint(groups[place] for place in set(range(len(groups))) - set(fold))
    assert len(folds.left_out) == (different if different <= 10 else 5)
    words = (
        f"{different} groups, one left out" if different <= 10 else "5 folds of whole groups, one left out"
    )
    assert folds.described == words


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 9))
def test_each_fold_has_its_share_of_every_class(labels, seed):
    folds = make_folds(one_hot(labels), (), seed)
    sizes = np.bincount(labels)
    least = min(sizes[sizes > 1], default=0)
    if least < 2:
        assert folds.left_out == ()
        assert folds.described == "no class has two training videos to validate by"
        return
    number = min(5, least)
    assert folds.described == f"{number} folds with a share of every class, one left out"
    assert_each_video_once(folds, len(labels))
    assert len(folds.left_out) == number
    for label, size in enumerate(sizes):
        shares = [int(np.sum(np.array(labels)[fold] == label)) for fold in folds.left_out]
        assert max(shares) - min(shares) <= 1
        assert sum(shares) == size


def test_videos_of_several_classes_are_dealt_by_their_sets():
    sets = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]], dtype=bool)
    truth = sets[np.arange(40) % 4]
    folds = make_folds(truth, (), 0)
    assert_each_video_once(folds, 40)
    for fold in folds.left_out:
        assert np.unique(truth[fold], axis=0, return_counts=True)[1].tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("rows", [[[0, 0], [0, 0]], [[1, 0], [0, 1]], [[1, 0]]])
def test_without_two_videos_of_a_class_there_is_nothing_to_validate_by(rows):
    assert make_folds(np.array(rows, dtype=bool), (), 0).left_out == ()


def test_a_class_of_one_video_does_not_forbid_validation():
    folds = make_folds(one_hot([0, 0, 0, 1, 1, 1, 2]), (), 0)
    assert len(folds.left_out) == 3


def test_the_seed_alone_says_which_videos_come_together():
    truth = one_hot([0] * 20 + [1] * 20)
    first, again, other = (make_folds(truth, (), seed).left_out for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_sets_of_classes_that_are_all_rare_are_dealt_all_the_same():
    """Each class has five videos or more, and no set of classes has."""
    truth = np.array([[place >> bit & 1 for bit in range(4)] for place in range(16)], dtype=bool)
    folds = make_folds(truth, (), 0)
    assert_each_video_once(folds, 16)
    assert sorted(map(len, folds.left_out)) == [3, 3, 3, 3, 4]
