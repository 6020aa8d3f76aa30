"""Fitting the linear SVM to videos' representations, with its C chosen inside the training videos.

Everything is scikit-learn's: what is done to the representations is a pipeline, the solver is LinearSVC, and
the folds are its own. Its grid search is not used: it averages the folds' figures, while here each video
counts once, and what is fitted to a fold's videos (VLAD, the rotation) would be fitted anew for each C.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from attcell._log import logger
from attcell.errors import CallError, ModelError
from attcell.metrics.recognition import hit_rate, mean_average_precision
from attcell.nn import LinearSVM


@dataclass(frozen=True)
class SVMChoice:
    """Representations standardised, then perhaps scaled to length 1; and the SVM's C."""

    unit_length: bool
    c: float


@dataclass(frozen=True)
class InnerFigure:
    """How the choice did on training videos that were left out in turn.

    Attributes:
        value: the figure, 0 to 1; None if nothing could be validated.
        measure: ``accuracy`` where each video has one class, else ``mAP`` over the classes that are there.
        validation: how videos were left out, in words.
    """

    value: float | None
    measure: Literal["accuracy", "mAP"]
    validation: str


Represent = Callable[[np.ndarray], np.ndarray]  # places of videos to fit to → (N, dim) of all

MOST_STEPS = 20_000  # of the solver, a class
CHOICES = tuple(
    SVMChoice(unit_length, c)
    for unit_length, costs in ((False, (1e-3, 1e-2, 1e-1, 1.0)), (True, (1.0, 10.0, 100.0)))
    for c in costs
)


def choose_and_fit(
    representations: Float[np.ndarray, "N dim"],
    truth: Bool[np.ndarray, "N A"],
    groups: Sequence[str],
    seed: int,
    *,
    refitted: Represent | None = None,
) -> tuple[SVMChoice, LinearSVM, InnerFigure]:
    """Choose among :data:`CHOICES` by cross-validation, and fit the chosen SVM to all these videos.

    Whole groups are left out where they are known, else videos of all classes alike (see
    :func:`attcell.training.svm_fit.make_folds`). Of equal choices the first is taken; without validation the
    first of all, and that is said. A class that no training video has gets the constant margin −1, one that
    all have +1.

    Args:
        representations: of the training videos alone.
        truth: which classes each video has, one or more.
        groups: what each video belongs to, for example its actor; empty if it is not known.
        seed: of what is left out together, and of the solver's order.
        refitted: for representations that are themselves fitted to the training videos, as VLAD is: from the
            places of some videos to the representations of all, fitted to these alone. Without it the videos
            that are left out have had a part in their own representation, and their figure says little: a
            centre of VLAD can be one actor's background.

    Raises:
        CallError: no video, or not one row of ``truth`` and one group for each.
        ModelError: representations that are not finite numbers.
    """
    _check(representations, truth, groups)
    folds = make_folds(truth, groups, seed)
    measure: Literal["accuracy", "mAP"] = "accuracy" if (truth.sum(axis=1) == 1).all() else "mAP"
    if folds.parts:
        figures = _inner_figures(refitted or (lambda _: representations), truth, folds, measure, seed)
        chosen = max(CHOICES, key=figures.__getitem__)  # of equals the first
        figure = InnerFigure(figures[chosen], measure, folds.described)
    else:
        chosen, figure = CHOICES[0], InnerFigure(None, measure, folds.described)
        logger.info(f"linear SVM: {folds.described}, so its C is {chosen.c:g} by default")
    return chosen, fit_svm(representations, truth, chosen, seed), figure


def fit_svm(
    representations: Float[np.ndarray, "N dim"], truth: Bool[np.ndarray, "N A"], choice: SVMChoice, seed: int
) -> LinearSVM:
    """Fit one linear SVM a class, each against the rest, to all these videos.

    A class that no video has gets the constant margin −1, one that all have +1. It is said if the solver has
    not come to its end.
    """
    steps = _steps(unit_length=choice.unit_length)
    fitted = _solve(steps.fit_transform(representations.astype(np.float64)), truth, choice.c, seed)
    if fitted.unfinished:
        logger.info(
            f"linear SVM: {fitted.unfinished} of {truth.shape[1]} classes not at their end after "
            f"{MOST_STEPS} steps"
        )
    scaler, rotation = steps[0], steps[-1]
    svm = LinearSVM(representations.shape[1], truth.shape[1])
    weight = rotation.inverse_transform(fitted.weight)
    figures = [
        torch.from_numpy(values).float() for values in (scaler.mean_, scaler.scale_, weight, fitted.bias)
    ]
    svm.fit(figures[0], figures[1], choice.unit_length, figures[2], figures[3])
    return svm


class Rotation(TransformerMixin, BaseEstimator):
    """Videos in no more dimensions than there are videos, by a rotation into their span.

    A linear SVM has its weights in the span of the videos that it learns from, so the outcome is the same,
    and 32,768 numbers cost what 81 do. A PCA would not do: it centres, and LinearSVC's bias counts in what it
    minimises.
    """

    def fit(self, rows: Float[np.ndarray, "N dim"], truth: None = None) -> Rotation:
        """Find the span; nothing is rotated where there are no fewer videos than numbers."""
        self.basis_ = np.linalg.qr(rows.T).Q if rows.shape[1] > len(rows) else None  # (dim, N)
        return self

    def transform(self, rows: Float[np.ndarray, "M dim"]) -> Float[np.ndarray, "M _"]:
        """The part of each row that lies in the span."""
        return rows if self.basis_ is None else rows @ self.basis_

    def inverse_transform(self, rows: Float[np.ndarray, "M _"]) -> Float[np.ndarray, "M dim"]:
        """Rows of the span, in all dimensions."""
        return rows if self.basis_ is None else rows @ self.basis_.T


def _steps(*, unit_length: bool) -> Pipeline:
    """What is done to representations before the SVM, fitted to the training videos."""
    length = Normalizer() if unit_length else "passthrough"
    return make_pipeline(StandardScaler(), length, Rotation())


@dataclass(frozen=True)
class _Solution:
    """Weights (A, dim) and biases (A,) of the classes, and how many the solver did not finish."""

    weight: Float[np.ndarray, "A dim"]
    bias: Float[np.ndarray, " A"]
    unfinished: int

    def margins(self, inputs: Float[np.ndarray, "M dim"]) -> Float[np.ndarray, "M A"]:
        return inputs @ self.weight.T + self.bias


def _solve(
    inputs: Float[np.ndarray, "N dim"], truth: Bool[np.ndarray, "N A"], c: float, seed: int
) -> _Solution:
    """An SVM for each class that some of the videos have and some have not; a constant margin for others."""
    # the dual: where videos can be told apart without a mistake, the primal does not come to an end
    svm = LinearSVC(C=c, dual=True, tol=1e-5, max_iter=MOST_STEPS, random_state=seed % 2**32)
    weight = np.zeros((truth.shape[1], inputs.shape[1]))
    bias = np.where(truth.all(axis=0), 1.0, -1.0)
    open_classes = np.flatnonzero(truth.any(axis=0) & ~truth.all(axis=0))
    unfinished = 0
    if len(open_classes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is counted
            fitted = OneVsRestClassifier(svm).fit(inputs, truth[:, open_classes].astype(int))
        for number, one in zip(open_classes, fitted.estimators_, strict=True):
            weight[number], bias[number] = one.coef_[0], one.intercept_[0]
            unfinished += int(one.n_iter_ >= MOST_STEPS)
    return _Solution(weight, bias, unfinished)


def _inner_figures(
    represent: Represent,
    truth: Bool[np.ndarray, "N A"],
    folds: Folds,
    measure: Literal["accuracy", "mAP"],
    seed: int,
) -> dict[SVMChoice, float]:
    """Each choice's figure over all videos, every one judged by an SVM that was fitted without its fold."""
    margins = {choice: np.empty(truth.shape) for choice in CHOICES}
    for left_out in folds.parts:
        kept = np.setdiff1d(np.arange(len(truth)), left_out)
        representations = represent(kept).astype(np.float64)
        for unit_length in (False, True):
            steps = _steps(unit_length=unit_length)
            inputs = steps.fit_transform(representations[kept])
            others = steps.transform(representations[left_out])
            for choice in (one for one in CHOICES if one.unit_length == unit_length):
                margins[choice][left_out] = _solve(inputs, truth[kept], choice.c, seed).margins(others)
    return {choice: _figure(margins[choice], truth, measure) for choice in CHOICES}


def _figure(
    margins: Float[np.ndarray, "N A"], truth: Bool[np.ndarray, "N A"], measure: Literal["accuracy", "mAP"]
) -> float:
    if measure == "accuracy":
        return hit_rate(margins, truth, 1)
    return mean_average_precision(margins, truth)[0] if truth.any() else 0.0


def _check(representations: np.ndarray, truth: np.ndarray, groups: Sequence[str]) -> None:
    videos = len(representations)
    if not videos or len(truth) != videos or len(groups) not in (0, videos):
        raise CallError(
            f"{videos} representations, {len(truth)} rows of truth and {len(groups)} groups; give at least "
            "one representation, and for each a row of truth and a group, or no groups at all"
        )
    if not np.isfinite(representations).all():
        raise ModelError(
            "representations of videos are not finite numbers: the backbone's weights are broken; load others"
        )


MOST_FOLDS = 5
MOST_GROUPS_ONE_BY_ONE = 10


@dataclass(frozen=True)
class Folds:
    """Parts of the training videos, each left out once; none if nothing can be validated.

    Attributes:
        parts: places of the videos of each part; every video is in one.
        described: in words.
    """

    parts: tuple[Int[np.ndarray, " _"], ...]
    described: str


def make_folds(truth: Bool[np.ndarray, "N A"], groups: Sequence[str], seed: int) -> Folds:
    """Cut training videos into parts to leave out in turn.

    Where groups are known no group is cut: up to 10 groups are left out one by one, more in 5 parts of
    about the same size. Else there are 5 parts, each with its share of every class, or as many as the
    smallest class has videos. Classes of a single video do not count for that: when it is left out, nothing
    is known of its class. Videos of several classes are dealt by the set of their classes.

    Args:
        truth: which classes each video has.
        groups: of each video; empty if they are not known.
        seed: which videos of a class come together; of no account for groups.
    """
    if groups:
        return _by_groups(np.array(groups))
    sizes = truth.sum(axis=0)
    number = min(MOST_FOLDS, int(min(sizes[sizes > 1], default=0)))
    if number < 2:
        return Folds((), "no class has two training videos to validate by")
    _, sets, videos = np.unique(truth, axis=0, return_inverse=True, return_counts=True)
    # scikit-learn refuses to stratify where no set of classes has a video for each part
    splitter = StratifiedKFold if videos.max() >= number else KFold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a set that has fewer videos than there are parts
        splits = list(splitter(number, shuffle=True, random_state=seed % 2**32).split(sets, sets))
    described = f"{number} parts with a share of every class, one left out"
    return Folds(tuple(left_out for _, left_out in splits), described)


def _by_groups(groups: np.ndarray) -> Folds:
    names = np.unique(groups)
    if len(names) < 2:
        return Folds((), f"all training videos are of one group, {names[0]}, and none is left to validate by")
    one_by_one = len(names) <= MOST_GROUPS_ONE_BY_ONE
    splitter = LeaveOneGroupOut() if one_by_one else GroupKFold(MOST_FOLDS)
    parts = tuple(left_out for _, left_out in splitter.split(groups, groups=groups))
    what = f"{len(names)} groups" if one_by_one else f"{MOST_FOLDS} parts of whole groups"
    return Folds(parts, f"{what}, one left out")
