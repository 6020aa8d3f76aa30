"""Accuracy figures against slow definitions, with ties and videos that could not be read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from attcell.metrics.recognition import (
    by_gain,
    class_accuracies,
    confusion_matrix,
    mean_class_accuracy,
    recognition_metrics,
    top_k_accuracy,
)


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """(N, A) scores of few values, so that there are ties, some rows NaN, and (N,) labels."""
    num_videos, num_classes = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    rows = st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9]), min_size=num_classes, max_size=num_classes)
    scores = np.array([draw(rows) for _ in range(num_videos)])
    scores[[draw(st.booleans()) and draw(st.booleans()) for _ in range(num_videos)]] = np.nan
    labels = [draw(st.integers(0, num_classes - 1)) for _ in range(num_videos)]
    return scores, np.array(labels)


def slow_top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Correct if the label is among the first k of the classes, sorted by score and then by number."""
    correct = 0
    for row, label in zip(scores, labels, strict=True):
        ranked = sorted(range(len(row)), key=lambda number: (-row[number], number))
        correct += not np.isnan(row).any() and label in ranked[:k]
    return correct / len(labels)


@given(scored(), st.integers(1, 7))
def test_top_k_is_its_definition(test, k):
    scores, labels = test
    assert top_k_accuracy(scores, labels, k) == pytest.approx(slow_top_k(scores, labels, k))


@given(scored())
def test_the_confusion_matrix_counts_every_readable_video_once(test):
    scores, labels = test
    matrix = confusion_matrix(scores, labels)
    readable = ~np.isnan(scores).any(axis=1)
    assert matrix.shape == (scores.shape[1],) * 2
    assert matrix.sum(axis=1).tolist() == np.bincount(labels[readable], minlength=scores.shape[1]).tolist()
    expected = np.zeros_like(matrix)
    for row, label in zip(scores[readable], labels[readable], strict=True):
        expected[label, row.argmax()] += 1
    assert np.array_equal(matrix, expected)


@given(scored())
def test_mean_class_accuracy_is_the_mean_over_classes_that_are_there(test):
    scores, labels = test
    each = [slow_top_k(scores[labels == one], labels[labels == one], 1) for one in sorted(set(labels))]
    assert mean_class_accuracy(scores, labels) == pytest.approx(np.mean(each))


def test_without_ties_it_is_scikit_learns_balanced_accuracy():
    rng = np.random.default_rng(0)
    scores, labels = rng.random((60, 4)), rng.integers(4, size=60)
    expected = balanced_accuracy_score(labels, scores.argmax(axis=1))
    assert mean_class_accuracy(scores, labels) == pytest.approx(expected)


def test_of_tied_classes_the_first_comes_first_in_every_figure():
    scores = np.full((3, 4), 0.25)
    labels = np.array([0, 1, 2])
    assert [top_k_accuracy(scores, labels, k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert np.trace(confusion_matrix(scores, labels)) == 1


def test_unreadable_videos_are_wrong_and_count():
    scores = np.array([[0.9, 0.1], [np.nan, np.nan], [np.nan, np.nan], [0.2, 0.8]])
    labels = np.array([0, 0, 0, 1])
    assert top_k_accuracy(scores, labels, 1) == 0.5
    assert top_k_accuracy(scores, labels, 2) == 0.5
    assert mean_class_accuracy(scores, labels) == pytest.approx((1 / 3 + 1) / 2)
    assert confusion_matrix(scores, labels).tolist() == [[1, 0], [0, 1]]


def test_each_class_has_its_own_accuracy() -> None:
    scores = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [np.nan] * 3, [0.1, 0.9, 0]])
    found = class_accuracies(scores, np.array([0, 0, 1, 1]))
    np.testing.assert_array_equal(found, [50, 50, np.nan])


def test_unread_videos_are_wrong() -> None:
    np.testing.assert_array_equal(class_accuracies(np.full((2, 1), np.nan), np.array([0, 0])), [0])


def test_the_best_gain_comes_first() -> None:
    assert by_gain(np.array([1.0, np.nan, 3.0, 1.0, -2.0])) == [2, 0, 3, 4, 1]


SCORES = np.array([[0.9, 0.8, 0.1], [0.2, 0.3, 0.1], [0.1, 0.5, 0.9], [np.nan] * 3])


def truth(*labels: tuple[int, ...]) -> np.ndarray:
    found = np.zeros((len(labels), 3), dtype=bool)
    for row, own in zip(found, labels, strict=True):
        row[list(own)] = True
    return found


def test_one_class_each():
    found = recognition_metrics(SCORES, truth((0,), (0,), (2,), (1,)), multi_label=False)
    assert list(found) == ["top1", "mean_class_accuracy"]
    assert found == pytest.approx({"top1": 2 / 4, "mean_class_accuracy": (1 / 2 + 0 + 1) / 3})


def test_several_classes_or_none():
    """AP of class 0: 1, its video is first. Of class 1: (1/1 + 2/3) / 2. Class 2 has no video."""
    found = recognition_metrics(SCORES, truth((0, 1), (1,), (), ()), multi_label=True)
    assert found == pytest.approx({"mAP": (1 + 5 / 6) / 2})


def test_several_classes_and_each_video_has_one():
    found = recognition_metrics(SCORES, truth((0, 1), (1,), (0, 1), (2,)), multi_label=True)
    assert list(found) == ["mAP", "top1"]
    assert found["top1"] == 2 / 4


def test_no_video_of_any_class_has_no_figure():
    assert recognition_metrics(SCORES, truth((), (), (), ()), multi_label=True) == {}


@pytest.mark.parametrize(("classes", "has_top5"), [(5, False), (6, True)])
def test_top5_is_given_from_six_classes_on(classes, has_top5):
    found = recognition_metrics(np.eye(classes), np.eye(classes, dtype=bool), multi_label=False)
    assert ("top5" in found) == has_top5
