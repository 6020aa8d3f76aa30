"""Accuracy class by class."""

from __future__ import annotations

import numpy as np

from attcell.metrics.recognition import by_gain, class_accuracies


def test_each_class_has_its_own_accuracy() -> None:
    scores = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [np.nan] * 3, [0.1, 0.9, 0]])
    found = class_accuracies(scores, np.array([0, 0, 1, 1]))
    np.testing.assert_array_equal(found, [50, 50, np.nan])


def test_unread_videos_are_wrong() -> None:
    np.testing.assert_array_equal(class_accuracies(np.full((2, 1), np.nan), np.array([0, 0])), [0])


def test_the_best_gain_comes_first() -> None:
    assert by_gain(np.array([1.0, np.nan, 3.0, 1.0, -2.0])) == [2, 0, 3, 4, 1]
