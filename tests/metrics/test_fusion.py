"""How much each stream counts in late fusion."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.metrics.recognition import FUSION_STEPS, mean_average_precision
from attcell.metrics.recognition import fusion_weights as weights_by_truth

LABELS = np.arange(12) % 3


def sure_of(classes: np.ndarray, probability: float = 0.8) -> np.ndarray:
    """(N, 3) scores with this probability on a class, and the rest even on the others."""
    return np.where(np.eye(3, dtype=bool)[classes], probability, (1 - probability) / 2)


def fusion_weights(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The weights for videos of one class each."""
    return weights_by_truth(scores, np.eye(scores.shape[-1], dtype=bool)[labels])


def accuracy(scores: np.ndarray, weights: np.ndarray, labels: np.ndarray) -> float:
    fused = sum(weight * part for weight, part in zip(weights, scores, strict=True))
    return float(np.mean(np.argmax(fused, axis=1) == labels))


def log_loss(scores: np.ndarray, weights: np.ndarray, labels: np.ndarray) -> float:
    fused = sum(weight * part for weight, part in zip(weights, scores, strict=True))
    return float(np.mean([-np.log(row[label]) for row, label in zip(fused, labels, strict=True)]))


@pytest.mark.parametrize("good", [0, 1, 2])
@pytest.mark.parametrize(
    "useless", [sure_of((LABELS + 1) % 3), np.full((12, 3), 1 / 3)], ids=["always wrong", "knows nothing"]
)
def test_useless_streams_count_nothing(good: int, useless: np.ndarray) -> None:
    scores = np.stack([sure_of(LABELS) if number == good else useless for number in range(3)])
    assert fusion_weights(scores, LABELS).tolist() == np.eye(3)[good].tolist()


@pytest.mark.parametrize(("num", "expected"), [(1, [1]), (2, [0.5, 0.5]), (4, [0.25] * 4)])
def test_streams_that_say_the_same_count_alike(num: int, expected: list[float]) -> None:
    assert fusion_weights(np.stack([sure_of(LABELS)] * num), LABELS).tolist() == expected


def test_three_alike_count_as_evenly_as_twentieths_allow() -> None:
    weights = fusion_weights(np.stack([sure_of(LABELS)] * 3), LABELS)
    assert sorted((weights * FUSION_STEPS).round().astype(int).tolist()) == [6, 7, 7]


def test_streams_that_know_different_classes_share() -> None:
    half = LABELS < 1
    first = np.where(half[:, None], sure_of(LABELS, 0.9), 1 / 3)
    second = np.where(half[:, None], 1 / 3, sure_of(LABELS, 0.9))
    weights = fusion_weights(np.stack([first, second]), LABELS)
    assert accuracy(np.stack([first, second]), weights, LABELS) == 1
    assert weights.tolist() == [
        0.15,
        0.85,
    ]  # 4 videos against 8: the loss is least at (0.567 - 0.333) / 1.7 = 0.137


def test_accuracy_comes_before_the_loss() -> None:
    """The first stream is right by a hair and always; the second is nearly sure, and wrong once."""
    first = sure_of(LABELS, 0.34)
    second = sure_of(np.where(np.arange(12) == 5, (LABELS + 1) % 3, LABELS), 0.99)
    scores = np.stack([first, second])
    weights = fusion_weights(scores, LABELS)
    assert accuracy(scores, weights, LABELS) == 1
    assert log_loss(scores, weights, LABELS) > log_loss(scores, np.array([0.2, 0.8]), LABELS)


def test_a_sure_mistake_has_a_finite_loss() -> None:
    scores = np.stack([sure_of(LABELS, 1.0), sure_of((LABELS + 1) % 3, 1.0)])
    assert fusion_weights(scores, LABELS).tolist() == [1, 0]
    assert fusion_weights(scores[::-1], LABELS).tolist() == [0, 1]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 3), st.integers(1, 9), st.integers(2, 4), st.integers(0, 10**6))
def test_nothing_on_the_grid_does_better(streams: int, videos: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.dirichlet(np.ones(classes), (streams, videos)), rng.integers(classes, size=videos)
    found = fusion_weights(scores, labels)
    assert found.shape == (streams,)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(found * FUSION_STEPS, (found * FUSION_STEPS).round(), atol=1e-9)
    grid = [
        np.array(parts) / FUSION_STEPS
        for parts in itertools.product(range(FUSION_STEPS + 1), repeat=streams)
        if sum(parts) == FUSION_STEPS
    ]
    assert len(grid) == {2: 21, 3: 231}[streams]
    best = max(accuracy(scores, weights, labels) for weights in grid)
    assert accuracy(scores, found, labels) == best
    equal = [weights for weights in grid if accuracy(scores, weights, labels) == best]
    least = min(log_loss(scores, weights, labels) for weights in equal)
    assert log_loss(scores, found, labels) == pytest.approx(least, abs=2e-6)


def test_of_videos_of_several_classes_the_average_precision_decides():
    rng = np.random.default_rng(0)
    scores, truth = rng.dirichlet(np.ones(3), (2, 12)), rng.random((12, 3)) < 0.4
    found = weights_by_truth(scores, truth)
    grid = [np.array([part, FUSION_STEPS - part]) / FUSION_STEPS for part in range(FUSION_STEPS + 1)]
    values = [mean_average_precision(np.tensordot(one, scores, axes=1), truth)[0] for one in grid]
    assert mean_average_precision(np.tensordot(found, scores, axes=1), truth)[0] == max(values)
