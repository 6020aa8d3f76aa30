"""The solver for all classes at once gives LinearSVC's SVMs: the same objective, margins and predictions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC

from attcell.training import svm_solver
from attcell.training.svm_solver import TOLERANCE, VideoProducts, solve


def digits(num):
    """Real pictures of ten digits: products of any two of 32 pixels, standardised, 561 numbers each."""
    pictures, labels = load_digits(return_X_y=True)
    rows = StandardScaler().fit_transform(PolynomialFeatures(2).fit_transform(pictures[:num, ::2]))
    return rows, labels[:num]


def signs_of(labels):
    return torch.from_numpy(np.where(np.eye(labels.max() + 1)[labels] > 0, 1.0, -1.0))


def products_of(rows):
    return VideoProducts.of(torch.from_numpy(rows @ rows.T + 1))


def weights_of(solution, rows):
    """(A, dim) weights and (A,) biases."""
    return solution.coefficients.numpy().T @ rows, solution.coefficients.numpy().sum(axis=0)


def objective(weight, bias, rows, signs, c):
    """What LinearSVC minimises."""
    owed = np.maximum(0, 1 - signs * (rows @ weight + bias))
    return (weight @ weight + bias**2) / 2 + c * (owed**2).sum()


@pytest.mark.parametrize(
    ("num", "few"),
    [(100, 500), (300, 500), (300, 0)],
    ids=["all directions", "leading directions", "single precision inside"],
)
@pytest.mark.parametrize("unit_length", [False, True])
def test_they_are_linear_svcs(monkeypatch, num, few, unit_length):
    """For every C of the choice, each solved from the one before: the objective to 1e-6, margins to 1e-3."""
    monkeypatch.setattr(svm_solver, "FEW", few)
    rows, labels = digits(num)
    if unit_length:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    signs, videos, solution = signs_of(labels), products_of(rows), None
    for c in (1.0, 10.0, 100.0) if unit_length else (1e-3, 1e-2, 1e-1, 1.0):
        solution = solve(videos, signs, c, solution)
        assert solution.is_done.all()
        weight, bias = weights_of(solution, rows)
        expected = np.empty((num, 10))
        for label in range(10):
            svm = LinearSVC(C=c, tol=1e-6, max_iter=100_000, dual=True, random_state=0)
            svm.fit(rows, signs[:, label].numpy())
            expected[:, label] = svm.decision_function(rows)
            ours = objective(weight[label], bias[label], rows, signs[:, label].numpy(), c)
            theirs = objective(svm.coef_[0], svm.intercept_[0], rows, signs[:, label].numpy(), c)
            assert ours <= theirs * (1 + 1e-6)
        found = rows @ weight.T + bias
        np.testing.assert_allclose(found, expected, atol=1e-3)
        np.testing.assert_allclose(solution.outputs, found, atol=1e-6)
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(1, 60), st.integers(1, 4), st.floats(-4, 3), st.integers(0, 2**32 - 1))
def test_each_video_is_outside_the_margin_or_pays_for_it(num, dim, classes, log_c, seed):
    """α = 0 and a margin of 1 or more, or α > 0 and the margin 1 − α/(2C), up to the tolerance."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(num, dim)) * generator.uniform(0.01, 10, dim)
    rows[generator.random(num) < 0.2] = rows[0]  # some videos are the same, with other classes
    signs = torch.from_numpy(np.where(generator.random((num, classes)) < 0.3, 1.0, -1.0))
    signs[0], signs[1] = 1, -1
    c = 10.0**log_c
    solution = solve(products_of(rows), signs, c)
    assert solution.is_done.all()
    alpha, margins = signs * solution.coefficients, signs * solution.outputs
    own = torch.from_numpy((rows**2).sum(axis=1) + 1)[:, None]
    assert (alpha * own > -1.01 * TOLERANCE).all()
    assert (margins + alpha / (2 * c) > 1 - 1.01 * TOLERANCE).all()
    pays = alpha * own > 1.01 * TOLERANCE
    assert ((margins + alpha / (2 * c))[pays] < 1 + 1.01 * TOLERANCE).all()


def test_where_it_begins_is_of_no_account():
    rows, labels = digits(300)
    videos, signs = products_of(rows), signs_of(labels)
    cold = solve(videos, signs, 0.1)
    for other in (1e-3, 10.0):
        warm = solve(videos, signs, 0.1, solve(videos, signs, other))
        np.testing.assert_allclose(warm.outputs, cold.outputs, atol=1e-4)


def test_the_same_videos_give_the_same_bits():
    rows, labels = digits(300)
    first, again = (solve(products_of(rows), signs_of(labels), 0.1) for _ in range(2))
    assert torch.equal(first.coefficients, again.coefficients)


def test_a_class_does_not_depend_on_the_others():
    rows, labels = digits(300)
    videos, signs = products_of(rows), signs_of(labels)
    together, alone = solve(videos, signs, 0.1), solve(videos, signs[:, 3:4], 0.1)
    np.testing.assert_allclose(alone.outputs[:, 0], together.outputs[:, 3], atol=1e-4)


def test_a_long_way_is_cut_where_it_no_longer_falls(monkeypatch):
    """Steps whose inner error was hardly lessened lead nowhere: they are shortened, then made more exact."""
    rows, labels = digits(300)
    videos, signs = products_of(rows), signs_of(labels)
    exact = solve(videos, signs, 1.0)
    monkeypatch.setattr(svm_solver, "FALL", 0.5)
    rough = solve(videos, signs, 1.0)
    assert rough.is_done.all()
    np.testing.assert_allclose(rough.outputs, exact.outputs, atol=1e-4)


def test_videos_that_are_all_the_same():
    signs = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    solution = solve(products_of(np.zeros((3, 4))), signs, 0.5)
    assert solution.is_done.all()
    for label in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            svm = LinearSVC(C=0.5, tol=1e-9, max_iter=100_000, dual=True).fit(
                np.zeros((3, 4)), signs[:, label]
            )
        np.testing.assert_allclose(solution.outputs[:, label], svm.intercept_[0], atol=1e-4)


def test_without_directions_it_takes_longer_to_the_same_end(monkeypatch):
    rows, labels = digits(300)
    expected = solve(products_of(rows), signs_of(labels), 0.1)

    def fails(matrices):
        return torch.full_like(matrices, torch.nan), torch.ones(len(matrices), dtype=torch.int32)

    monkeypatch.setattr(torch.linalg, "cholesky_ex", fails)
    found = solve(products_of(rows), signs_of(labels), 0.1)
    assert found.is_done.all()
    np.testing.assert_allclose(found.outputs, expected.outputs, atol=1e-4)
