"""Which figures there are, and what they are, for videos of one, several or no classes."""

from __future__ import annotations

import numpy as np
import pytest

from attcell.metrics.recognition import recognition_figures

SCORES = np.array([[0.9, 0.8, 0.1], [0.2, 0.3, 0.1], [0.1, 0.5, 0.9], [np.nan] * 3])


def truth(*labels: tuple[int, ...]) -> np.ndarray:
    found = np.zeros((len(labels), 3), dtype=bool)
    for row, own in zip(found, labels, strict=True):
        row[list(own)] = True
    return found


def test_one_class_each():
    found = recognition_figures(SCORES, truth((0,), (0,), (2,), (1,)), multi_label=False)
    assert list(found) == ["top1", "mean_class_accuracy"]
    assert found == pytest.approx({"top1": 2 / 4, "mean_class_accuracy": (1 / 2 + 0 + 1) / 3})


def test_several_classes_or_none():
    """AP of class 0: 1, its video is first. Of class 1: (1/1 + 2/3) / 2. Class 2 has no video."""
    found = recognition_figures(SCORES, truth((0, 1), (1,), (), ()), multi_label=True)
    assert found == pytest.approx({"mAP": (1 + 5 / 6) / 2})


def test_several_classes_and_each_video_has_one():
    found = recognition_figures(SCORES, truth((0, 1), (1,), (0, 1), (2,)), multi_label=True)
    assert list(found) == ["mAP", "top1"]
    assert found["top1"] == 2 / 4


def test_no_video_of_any_class_has_no_figure():
    assert recognition_figures(SCORES, truth((), (), (), ()), multi_label=True) == {}


@pytest.mark.parametrize(("classes", "has_top5"), [(5, False), (6, True)])
def test_top5_is_given_from_six_classes_on(classes, has_top5):
    found = recognition_figures(np.eye(classes), np.eye(classes, dtype=bool), multi_label=False)
    assert ("top5" in found) == has_top5
