"""How long the choice of the linear SVM's C takes, beside scikit-learn's grid search over a plain pipeline.

Both choose among the same settings by the same folds, on generated representations of many numbers, as
``flat`` pooling of VGG-16's pool5 gives them (25,088). Processor time is counted, since other work on the
machine would count in wall time.

    uv run python -m benchmarks.svm_fit
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from attcell.training.svm_fit import CHOICES, MOST_STEPS, choose_and_fit, make_folds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--videos", type=int, default=900)
    parser.add_argument("--numbers", type=int, default=25_088)
    parser.add_argument("--classes", type=int, default=5)
    options = parser.parse_args()
    rows, truth = generated(options.videos, options.numbers, options.classes)
    ours = processor_seconds(lambda: choose_and_fit(rows, truth, (), 0))
    plain = processor_seconds(lambda: grid_search(rows, truth))
    print(
        f"{options.videos} videos × {options.numbers} numbers, {options.classes} classes, {len(CHOICES)} "
        "settings, 5 folds, and the fit of the chosen setting to all videos: "
        f"attcell {ours:.1f} s, grid search over a plain pipeline {plain:.1f} s ({plain / ours:.1f} times)"
    )


def generated(videos: int, numbers: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Representations that are hard to tell apart, (N, dim), and one class for each, (N, A)."""
    generator = np.random.default_rng(0)
    labels = np.arange(videos) % classes
    centres = generator.normal(size=(classes, numbers))[labels]
    rows = np.maximum(0.1 * centres + generator.normal(size=(videos, numbers)), 0)
    return rows.astype(np.float32), np.eye(classes, dtype=bool)[labels]


def processor_seconds(work: Callable[[], object]) -> float:
    """Of all threads of this process."""
    before = time.process_time()
    work()
    return time.process_time() - before


def grid_search(rows: np.ndarray, truth: np.ndarray) -> GridSearchCV:
    """scikit-learn's own, in all dimensions, over the same settings and folds."""
    svm = LinearSVC(dual=True, tol=1e-5, max_iter=MOST_STEPS, random_state=0)
    steps = [("scale", StandardScaler()), ("length", Normalizer()), ("svm", OneVsRestClassifier(svm))]
    grid = [
        {"length": [Normalizer() if unit else "passthrough"], "svm__estimator__C": costs}
        for unit, costs in (
            (unit, [choice.c for choice in CHOICES if choice.unit_length == unit]) for unit in (False, True)
        )
    ]
    everyone = np.arange(len(rows))
    splits = [(np.setdiff1d(everyone, part), part) for part in make_folds(truth, (), 0).parts]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search = GridSearchCV(Pipeline(steps), grid, cv=splits)
        return search.fit(rows.astype(np.float64), truth.argmax(axis=1))


if __name__ == "__main__":
    main()
