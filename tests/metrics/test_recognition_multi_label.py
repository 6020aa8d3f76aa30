"""Average precision and hits against slow definitions, with ties, empty classes and unread videos."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from attcell.metrics.recognition import average_precisions, hit_rate, mean_average_precision, top_k_accuracy

NAN = float("nan")


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """(N, A) scores of few values, so that there are ties, some rows NaN, and (N, A) truth."""
    num_videos, num_classes = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    rows = st.lists(st.sampled_from([-1.5, 0.0, 0.1, 0.9]), min_size=num_classes, max_size=num_classes)
    scores = np.array([draw(rows) for _ in range(num_videos)])
    scores[[draw(st.booleans()) and draw(st.booleans()) for _ in range(num_videos)]] = np.nan
    has = st.lists(st.booleans(), min_size=num_classes, max_size=num_classes)
    return scores, np.array([draw(has) for _ in range(num_videos)])


def slow_average_precision(scores: np.ndarray, is_true: np.ndarray) -> float:
    """Go down the ranks; each adds its precision times the share of the positives that it brings."""
    values = [-np.inf if np.isnan(score) else score for score in scores]
    total = 0.0
    for value in sorted(set(values), reverse=True):
        above = [true for score, true in zip(values, is_true, strict=True) if score >= value]
        new = sum(true for score, true in zip(values, is_true, strict=True) if score == value)
        total += sum(above) / len(above) * new / sum(is_true)
    return total


@settings(deadline=None)
@given(scored())
def test_average_precision_is_its_definition(test):
    scores, truth = test
    found = average_precisions(scores, truth)
    assert found.shape == (scores.shape[1],)
    for place, value in enumerate(found):
        if truth[:, place].any():
            assert value == pytest.approx(slow_average_precision(scores[:, place], truth[:, place]))
        else:
            assert np.isnan(value)


@settings(deadline=None)
@given(scored())
def test_the_mean_is_over_the_classes_with_positives(test):
    scores, truth = test
    mean, number = mean_average_precision(scores, truth)
    assert number == truth.any(axis=0).sum()
    if number:
        each = [slow_average_precision(scores[:, a], truth[:, a]) for a in np.flatnonzero(truth.any(axis=0))]
        assert mean == pytest.approx(np.mean(each))
    else:
        assert np.isnan(mean)


def test_of_read_videos_it_is_scikit_learns():
    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=(80, 6)).round(1), rng.random((80, 6)) < 0.2
    expected = average_precision_score(truth, scores, average=None)
    np.testing.assert_allclose(average_precisions(scores, truth), expected)
    mean, number = mean_average_precision(scores, truth)
    assert (mean, number) == (pytest.approx(average_precision_score(truth, scores, average="macro")), 6)


def test_known_ranks():
    scores = np.array([[0.9], [0.8], [0.7], [0.6]])
    truth = np.array([[True], [False], [True], [False]])
    assert average_precisions(scores, truth).tolist() == pytest.approx([(1 + 2 / 3) / 2])


def test_ties_count_together_whatever_the_order():
    scores = np.full((4, 1), 0.5)
    for positives in range(4):
        truth = np.arange(4)[:, None] == positives
        assert average_precisions(scores, truth).tolist() == [0.25]


def test_unread_videos_are_last_of_all_and_tie():
    scores = np.array([[-9.0], [NAN], [NAN], [-5.0]])
    truth = np.array([[False], [True], [False], [False]])
    assert average_precisions(scores, truth).tolist() == [0.25]
    truth[0] = True
    assert average_precisions(scores, truth).tolist() == pytest.approx([(1 / 2 + 2 / 4) / 2])


def test_a_class_of_all_videos_has_one_and_a_class_of_none_has_none():
    scores = np.array([[0.1, 0.2, 0.3], [NAN, NAN, NAN], [0.3, 0.1, 0.2]])
    truth = np.array([[True, False, True], [True, False, False], [True, False, False]])
    np.testing.assert_array_equal(average_precisions(scores, truth), [1, NAN, 1])
    assert mean_average_precision(scores, truth) == (1.0, 2)


def test_without_any_positive_there_is_no_mean():
    mean, number = mean_average_precision(np.ones((2, 3)), np.zeros((2, 3), dtype=bool))
    assert np.isnan(mean)
    assert number == 0


def test_nothing_is_changed():
    scores = np.array([[NAN, NAN], [0.3, 0.1]])
    average_precisions(scores, np.eye(2, dtype=bool))
    np.testing.assert_array_equal(scores, [[NAN, NAN], [0.3, 0.1]])


def slow_hit_rate(scores: np.ndarray, truth: np.ndarray, k: int) -> float:
    """A hit if any true class is among the first k of the classes, sorted by score and then by number."""
    hits = 0
    for row, classes in zip(scores, truth, strict=True):
        ranked = sorted(range(len(row)), key=lambda number: (-row[number], number))
        hits += not np.isnan(row).any() and any(classes[number] for number in ranked[:k])
    return hits / len(scores)


@given(scored(), st.integers(1, 6))
def test_the_hit_rate_is_its_definition(test, k):
    scores, truth = test
    assert hit_rate(scores, truth, k) == pytest.approx(slow_hit_rate(scores, truth, k))


@given(scored(), st.integers(1, 6))
def test_with_one_class_a_video_it_is_the_top_k_accuracy(test, k):
    scores, truth = test
    labels = truth.argmax(axis=1)
    one = np.eye(scores.shape[1], dtype=bool)[labels]
    assert hit_rate(scores, one, k) == top_k_accuracy(scores, labels, k)


def test_of_tied_classes_the_first_is_the_best():
    scores = np.full((3, 3), 0.5)
    assert [hit_rate(scores, np.eye(3, dtype=bool), k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1])
