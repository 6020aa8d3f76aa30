"""Fitting the linear SVM to videos' representations, with its C chosen inside the training videos.

The solver is scikit-learn's. Where a representation has more numbers than there are videos, the videos are
first rotated into as many dimensions as they are: a linear SVM has its weights in their span, so the outcome
is the same, and 32,768 numbers cost what 81 do.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler
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
    rotated = _Rotated(representations)
    weight, bias, unfinished = rotated.solve(truth, choice, seed)
    if unfinished:
        logger.info(
            f"linear SVM: {unfinished} of {truth.shape[1]} classes not at their end after {MOST_STEPS} steps"
        )
    svm = LinearSVM(representations.shape[1], truth.shape[1])
    mean, deviation = rotated.scaler.mean_, rotated.scaler.scale_
    tensors = [
        torch.from_numpy(values).float() for values in (mean, deviation, rotated.unrotated(weight), bias)
    ]
    svm.fit(tensors[0], tensors[1], choice.unit_length, tensors[2], tensors[3])
    return svm


class _Rotated:
    """Training videos, standardised by their own figures, in no more dimensions than there are videos."""

    def __init__(self, representations: Float[np.ndarray, "N dim"]) -> None:
        values = representations.astype(np.float64)
        self.scaler = StandardScaler().fit(values)
        standardised = self.scaler.transform(values)
        self.lengths = _lengths(standardised)
        self.basis: np.ndarray | None = None
        self.values = standardised
        if values.shape[1] > len(values):
            self.basis, rows = np.linalg.qr(standardised.T)  # (dim, N) and (N, N)
            self.values = rows.T

    def solve(
        self, truth: Bool[np.ndarray, "N A"], choice: SVMChoice, seed: int
    ) -> tuple[Float[np.ndarray, "A _"], Float[np.ndarray, " A"], int]:
        """Weights in the rotated dimensions, biases, and how many classes the solver did not finish."""
        inputs = self.values / self.lengths if choice.unit_length else self.values
        weight = np.zeros((truth.shape[1], inputs.shape[1]))
        bias = np.where(truth.all(axis=0), 1.0, -1.0)
        unfinished = 0
        for number, positive in enumerate(truth.T):
            if positive.all() or not positive.any():
                continue
            # the dual: where videos can be told apart without a mistake, the primal does not come to an end
            svm = LinearSVC(C=choice.c, dual=True, tol=1e-5, max_iter=MOST_STEPS, random_state=seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # it is counted
                svm.fit(inputs, positive)
            weight[number], bias[number] = svm.coef_[0], svm.intercept_[0]
            unfinished += int(svm.n_iter_ >= MOST_STEPS)
        return weight, bias, unfinished

    def unrotated(self, weight: Float[np.ndarray, "A _"]) -> Float[np.ndarray, "A dim"]:
        """The weights in all dimensions."""
        return weight if self.basis is None else weight @ self.basis.T

    def others(
        self, representations: Float[np.ndarray, "M dim"]
    ) -> tuple[Float[np.ndarray, "M _"], Float[np.ndarray, "M 1"]]:
        """Other videos in the same dimensions, and their lengths in all of them."""
        standardised = self.scaler.transform(representations.astype(np.float64))
        inputs = standardised if self.basis is None else standardised @ self.basis
        return inputs, _lengths(standardised)


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
        representations = represent(kept)
        rotated = _Rotated(representations[kept])
        inputs, lengths = rotated.others(representations[left_out])
        for choice in CHOICES:
            weight, bias, _ = rotated.solve(truth[kept], choice, seed)
            scaled = inputs / lengths if choice.unit_length else inputs
            margins[choice][left_out] = scaled @ weight.T + bias
    return {choice: _figure(margins[choice], truth, measure) for choice in CHOICES}


def _figure(
    margins: Float[np.ndarray, "N A"], truth: Bool[np.ndarray, "N A"], measure: Literal["accuracy", "mAP"]
) -> float:
    if measure == "accuracy":
        return hit_rate(margins, truth, 1)
    return mean_average_precision(margins, truth)[0] if truth.any() else 0.0


def _lengths(rows: Float[np.ndarray, "N _"]) -> Float[np.ndarray, "N 1"]:
    """The rows' lengths, 1 for a row of zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > 0, lengths, 1.0)


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


# Which training videos are left out together when the linear SVM is chosen.

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
    return Folds(_dealt(truth, number, seed), f"{number} parts with a share of every class, one left out")


def _by_groups(groups: np.ndarray) -> Folds:
    names = np.unique(groups)
    if len(names) < 2:
        return Folds((), f"all training videos are of one group, {names[0]}, and none is left to validate by")
    if len(names) <= MOST_GROUPS_ONE_BY_ONE:
        parts = tuple(np.flatnonzero(groups == name) for name in names)
        return Folds(parts, f"{len(names)} groups, one left out")
    splits = GroupKFold(MOST_FOLDS).split(groups, groups=groups)
    described = f"{MOST_FOLDS} parts of whole groups, one left out"
    return Folds(tuple(left_out for _, left_out in splits), described)


def _dealt(truth: Bool[np.ndarray, "N A"], number: int, seed: int) -> tuple[Int[np.ndarray, " _"], ...]:
    """Shuffle, sort by the set of classes, and deal one by one."""
    shuffled = np.random.default_rng(seed).permutation(len(truth))
    _, sets = np.unique(truth, axis=0, return_inverse=True)
    order = shuffled[np.argsort(sets[shuffled], kind="stable")]
    return tuple(np.sort(order[first::number]) for first in range(number))
