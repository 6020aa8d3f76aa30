"""The rivals without a network: a linear SVM on averaged features, and what file headers give away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from attcell.training.svm_fit import CHOICES
from benchmarks.nested import Fold, Weighed, best, leave_one_out


@dataclass(frozen=True)
class SVMChoice:
    """Features standardised, then perhaps scaled to length 1; and the SVM's C."""

    unit_length: bool
    c: float

    def __call__(self, seed: int) -> object:
        length = [Normalizer()] if self.unit_length else []
        svm = LinearSVC(C=self.c, random_state=seed, max_iter=20_000)
        return make_pipeline(StandardScaler(), *length, svm)


@dataclass(frozen=True)
class HeaderChoice:
    """Nearest neighbours (0 for none: a linear SVM) on the logarithms of width, height and frame count."""

    neighbours: int

    def __call__(self, seed: int) -> object:
        if self.neighbours:
            return make_pipeline(StandardScaler(), KNeighborsClassifier(self.neighbours))
        return make_pipeline(StandardScaler(), LinearSVC(random_state=seed, max_iter=20_000))


SVM_CHOICES = tuple(SVMChoice(of.unit_length, of.c) for of in CHOICES)
HEADER_CHOICES = tuple(HeaderChoice(neighbours) for neighbours in (1, 3, 5, 0))


def nested_predictions(
    features: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[str],
    choices: Sequence[SVMChoice | HeaderChoice],
    seeds: Sequence[int],
) -> tuple[np.ndarray, dict[str, str]]:
    """Predict each group by a classifier fitted to the others, chosen by leaving out each of these in turn.

    Returns:
        (seeds, N) classes, and group → the choice that was made for it.
    """
    predictions = np.empty((len(seeds), len(labels)), dtype=int)
    made = {}
    for fold in leave_one_out(groups):
        inner = _inner_folds(fold, groups)
        weighed = {choice: _inner_accuracy(choice(seeds[0]), features, labels, inner) for choice in choices}
        chosen = best(choices, weighed.__getitem__)
        made[fold.group] = repr(chosen)
        for row, seed in enumerate(seeds):
            predictions[row, fold.test] = _fit_predict(chosen(seed), features, labels, fold.train, fold.test)
    return predictions, made


def _inner_folds(fold: Fold, groups: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    train = np.array(fold.train)
    return [
        (train[list(inner.train)], train[list(inner.test)])
        for inner in leave_one_out([groups[place] for place in fold.train])
    ]


def _inner_accuracy(
    classifier: object, features: np.ndarray, labels: np.ndarray, inner: list[tuple[np.ndarray, np.ndarray]]
) -> Weighed:
    right = [_fit_predict(classifier, features, labels, train, test) == labels[test] for train, test in inner]
    return Weighed(accuracy=float(np.concatenate(right).mean()), log_loss=0.0)


def _fit_predict(
    classifier: object,
    features: np.ndarray,
    labels: np.ndarray,
    train: Sequence[int] | np.ndarray,
    test: Sequence[int] | np.ndarray,
) -> np.ndarray:
    model: object = classifier.fit(features[list(train)], labels[list(train)])  # type: ignore[attr-defined]
    return np.asarray(model.predict(features[list(test)]))  # type: ignore[attr-defined]
