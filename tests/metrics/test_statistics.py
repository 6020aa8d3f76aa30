"""Paired tests: p values that can be counted on paper, and SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test, ttest_1samp

from attcell.metrics.statistics import accuracy_interval, holm, mcnemar, paired_p, sign_flip


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1], 1),  # both signs are as far from 0
        ([0, 0], 1),
        ([1, -1], 1),
        ([1, 1, 1], 2 / 8),  # all signs alike, either way
        ([-3, -2, -1], 2 / 8),
        ([3, 2, -1], 4 / 8),  # sums 6 and 4, either way
        ([3, 2, 0], 4 / 8),  # a 0 counts twice
        ([0.1] * 9, 2 / 2**9),
        ([5, 1, 1, 1, 1, 1, 1, 1, 1, 1], 2 / 2**10),
    ],
)
def test_sign_flips_that_can_be_counted(differences, p):
    assert sign_flip(np.array(differences, dtype=float)) == p
    assert sign_flip(-np.array(differences, dtype=float)) == p


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=9))
def test_sign_flips_are_scipys(differences):
    values = np.array(differences, dtype=float)
    expected = permutation_test((values,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip(values) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("plain", "adjusted"),
    [
        ([], []),
        ([0.04], [0.04]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 3 × .01; 2 × .03; 1 × .04, but no less than before
        ([0.04, 0.01, 0.02, 0.03], [0.06, 0.04, 0.06, 0.06]),
        ([0.01, 0.01], [0.02, 0.02]),
        ([0.5, 0.6], [1, 1]),
    ],
)
def test_holms_correction(plain, adjusted):
    assert holm(plain) == pytest.approx(adjusted)


@given(st.lists(st.floats(0, 1), max_size=6))
def test_a_corrected_p_is_no_smaller_and_keeps_the_order(plain):
    adjusted = holm(plain)
    assert all(p <= q <= min(1, len(plain) * p) for p, q in zip(plain, adjusted, strict=True))
    ranked = [adjusted[place] for place in np.argsort(plain, kind="stable")]
    assert ranked == sorted(ranked)


@pytest.mark.parametrize(
    ("right", "rival_right", "expected"),
    [
        ("11111", "00000", (5, 0, 2 / 2**5)),
        ("0000000111", "1111111010", (2, 7, 2 * (1 + 9 + 36) / 2**9)),
        ("1100", "1100", (0, 0, 1)),
        ("1001", "0101", (1, 1, 1)),
    ],
)
def test_mcnemar_on_paper(right, rival_right, expected):
    found = mcnemar(*(np.array([c == "1" for c in text]) for text in (right, rival_right)))
    assert found == expected


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_mcnemar_is_scipys_binomial_test(pairs):
    right, rival_right = np.array(pairs).T
    only, rival_only, p = mcnemar(right, rival_right)
    differing = only + rival_only
    assert p == pytest.approx(binomtest(only, differing).pvalue if differing else 1)


def test_without_groups_the_interval_is_wilsons():
    for right, num in ((0, 5), (5, 5), (30, 60), (1, 200)):
        found = accuracy_interval(np.arange(num) < right)
        expected = binomtest(right, num).proportion_ci(0.95, "wilson")
        assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_videos_of_a_group_that_are_right_together_count_less():
    right = np.repeat([True, False, True, True, False, True], 10)
    groups = [str(place // 10) for place in range(60)]
    alone, together = accuracy_interval(right), accuracy_interval(right, groups)
    assert together[0] < alone[0] < 2 / 3 < alone[1] < together[1]
    assert together == pytest.approx(
        accuracy_interval(right[::10], list("abcdef"))
    )  # a video for each tells as much


def test_where_all_are_right_each_group_counts_once():
    low, high = accuracy_interval(np.ones(100, dtype=bool), [str(place // 50) for place in range(100)])
    assert high == pytest.approx(1)
    assert low < 0.1
    assert accuracy_interval(np.ones(4, dtype=bool), ["a"] * 4) == (0, 1)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_an_interval_holds_its_accuracy(videos):
    right = np.array([one for one, _ in videos])
    for groups in ((), [str(group) for _, group in videos]):
        low, high = accuracy_interval(right, groups)
        assert 0 <= low <= right.mean() + 1e-12
        assert right.mean() - 1e-12 <= high <= 1


def test_a_difference_over_groups_is_students():
    generator = np.random.default_rng(0)
    right, rival = generator.random((2, 60)) < np.array([[0.8], [0.5]])
    groups = [str(place // 5) for place in range(60)]
    per_group = (right.astype(float) - rival).reshape(12, 5).mean(axis=1)
    assert paired_p(right, rival, groups) == pytest.approx(ttest_1samp(per_group, 0).pvalue)
    assert paired_p(right, rival) == mcnemar(right, rival)[2]
    assert paired_p(right, right, groups) == 1
    assert paired_p(right, rival, ["a"] * 60) == 1
    each_one = np.array([True, False] * 4)
    assert paired_p(each_one, ~each_one, list("aabbccdd")) == 1  # as many gained as lost in every group
    assert paired_p(np.ones(4, dtype=bool), np.zeros(4, dtype=bool), list("aabb")) == 0
