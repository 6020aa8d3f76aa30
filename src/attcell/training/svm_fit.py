"""Fitting the linear SVM to videos' representations, with its C chosen inside the training videos.

The scaler and the folds are scikit-learn's, and so is the SVM that is defined, LinearSVC; it is solved by
:mod:`attcell.training.svm_solver`, for all classes at once, which takes minutes where LinearSVC takes hours.
scikit-learn's grid search is not used: it averages the folds' figures, while here each video counts once, and
what is fitted to a fold's videos (VLAD, the scalar products) would be computed anew for each C.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from attcell._log import logger, track
from attcell.data.folds import make_folds
from attcell.errors import CallError, ModelError
from attcell.metrics.recognition import hit_rate, mean_average_precision
from attcell.metrics.statistics import accuracy_interval
from attcell.nn import LinearSVM
from attcell.training import svm_solver
from attcell.training.svm_solver import VideoProducts, solve


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
        interval: in which the accuracy lies, 0 to 1; None where it is none.
        sharpness: what margins are multiplied with, so that their softmax is likeliest to be right on the
            videos that were left out (temperature scaling, Guo 2017); None where that cannot be said.
    """

    value: float | None
    measure: Literal["accuracy", "mAP"]
    validation: str
    interval: tuple[float, float] | None = None
    sharpness: float | None = None


CPU = torch.device("cpu")
Represent = Callable[[np.ndarray], np.ndarray]  # places of videos to fit to → (N, dim) of all

NUMBERS_AT_ONCE = 1024  # of all representations
VIDEOS_AT_ONCE = 1024
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
    device: torch.device = CPU,
) -> tuple[SVMChoice, LinearSVM, InnerFigure]:
    """Choose among :data:`CHOICES` by cross-validation, and fit the chosen SVM to all these videos.

    Whole groups are left out where they are known, else videos of all classes alike (see
    :func:`attcell.data.folds.make_folds`). Of equal choices the first is taken; without validation the
    first of all, and that is said. A class that no training video has gets the constant margin −1, one that
    all have +1; in a fold it is the videos that are not left out that count.

    Args:
        representations: of the training videos alone.
        truth: which classes each video has, one or more.
        groups: what each video belongs to, for example its actor; empty if it is not known.
        seed: of what is left out together.
        refitted: for representations that are themselves fitted to the training videos, as VLAD is: from the
            places of some videos to the representations of all, fitted to these alone. Without it the videos
            that are left out have had a part in their own representation, and their figure says little: a
            centre of VLAD can be one actor's background.
        device: where it is computed. Beside the representations it takes 20 N² bytes there; a GPU that has
            less is left alone, and the CPU computes.

    Raises:
        CallError: no video, or not one row of ``truth`` and one group for each.
        ModelError: representations that are not finite numbers.
    """
    _check(representations, truth, groups)
    folds = make_folds(truth, groups, seed)
    measure: Literal["accuracy", "mAP"] = "accuracy" if (truth.sum(axis=1) == 1).all() else "mAP"
    device = _with_room(device, len(truth))
    if folds.left_out:
        represent = refitted or (lambda _: representations)
        margins, unfinished = {choice: np.empty(truth.shape) for choice in CHOICES}, 0
        for number, left_out in enumerate(folds.left_out, 1):
            kept = np.setdiff1d(np.arange(len(truth)), left_out)
            found = _margins(represent(kept), truth, kept, left_out, device)
            doing = f"SVM without fold {number} of {len(folds.left_out)}"
            for choice, of_choice, num_open in track(found, len(CHOICES), doing):
                margins[choice][left_out] = of_choice
                unfinished += num_open
        _tell_unfinished(
            unfinished, len(folds.left_out) * len(CHOICES) * truth.shape[1], " of the validation"
        )
        figures = {choice: _figure(of_choice, truth, measure) for choice, of_choice in margins.items()}
        chosen = max(CHOICES, key=figures.__getitem__)  # of equals the first
        figure = InnerFigure(figures[chosen], measure, folds.described)
        if measure == "accuracy":
            right = truth[np.arange(len(truth)), margins[chosen].argmax(axis=1)]
            figure = replace(
                figure,
                interval=accuracy_interval(right, groups),
                sharpness=best_sharpness(margins[chosen], truth),
            )
    else:
        chosen, figure = CHOICES[0], InnerFigure(None, measure, folds.described)
        logger.info(f"linear SVM: {folds.described}, so its C is {chosen.c:g} by default")
    return chosen, fit_svm(representations, truth, chosen, device), figure


def best_sharpness(margins: Float[np.ndarray, "N A"], truth: Bool[np.ndarray, "N A"]) -> float:
    """The factor with which the softmax of margins is likeliest to be right, from 0.01 to 100.

    Args:
        margins: of videos that the SVM was not fitted to.
        truth: the class of each, one.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def loss(power: float) -> float:
        return float(-log_softmax(10**power * margins, axis=1)[truth].mean())

    found = 10 ** minimize_scalar(loss, bounds=(-2, 2), method="bounded").x
    return float(f"{found:.3g}")  # the rest is the search's, and the machine's


def fit_svm(
    representations: Float[np.ndarray, "N dim"],
    truth: Bool[np.ndarray, "N A"],
    choice: SVMChoice,
    device: torch.device = CPU,
) -> LinearSVM:
    """Fit one linear SVM a class, each against the rest, to all these videos.

    A class that no video has gets the constant margin −1, one that all have +1. It is said if the solver has
    not come to its end.
    """
    everyone = np.arange(len(representations))
    products = _Products.of(representations, everyone, everyone[:0], device)
    classes = _Classes.of(truth, device)
    videos = VideoProducts.of(products.kernel(unit_length=choice.unit_length))
    solution = solve(videos, classes.signs, choice.c)
    _tell_unfinished(int((~solution.is_done).sum()), truth.shape[1], "")
    lengths = products.lengths if choice.unit_length else torch.ones_like(products.lengths)
    coefficients = classes.of_all(solution.coefficients, 0.0, 0.0) / lengths[:, None]
    weight = torch.zeros(truth.shape[1], representations.shape[1])
    scaler = [np.empty(representations.shape[1]), np.empty(representations.shape[1])]
    for numbers, fitted, rows in _standardised(representations, everyone, everyone):
        weight[:, numbers] = (coefficients.T @ torch.from_numpy(rows).to(device)).float().cpu()
        scaler[0][numbers], scaler[1][numbers] = fitted.mean_, fitted.scale_
    bias = classes.of_all(solution.coefficients.sum(dim=0, keepdim=True), 1.0, -1.0)[0]
    svm = LinearSVM(representations.shape[1], truth.shape[1])
    mean, deviation = (torch.from_numpy(values).float() for values in scaler)
    svm.fit(mean, deviation, choice.unit_length, weight, bias.float().cpu())
    return svm


def _with_room(device: torch.device, num_videos: int) -> torch.device:
    """The device, or the CPU where a GPU has too little memory for so many videos."""
    if device.type != "cuda":
        return device
    wanted, free = 20 * num_videos**2, torch.cuda.mem_get_info(device)[0]
    if wanted <= free:
        return device
    logger.info(
        f"linear SVM: {wanted / 2**30:.1f} GiB for the products of {num_videos} videos, and the GPU has "
        f"{free / 2**30:.1f} GiB free; the CPU computes"
    )
    return CPU


def _tell_unfinished(unfinished: int, svms: int, which: str) -> None:
    """Say how many SVMs the solver left before their end, if any."""
    if unfinished:
        logger.info(
            f"linear SVM: {unfinished} of {svms} classes{which} are not at their end after "
            f"{svm_solver.MOST_STEPS} steps"
        )


def _margins(
    representations: Float[np.ndarray, "N dim"],
    truth: Bool[np.ndarray, "N A"],
    kept: Int[np.ndarray, " _"],
    left_out: Int[np.ndarray, " M"],
    device: torch.device,
) -> Iterator[tuple[SVMChoice, Float[np.ndarray, "M A"], int]]:
    """Each choice with the margins of the videos that are left out, by an SVM of the others, and how many
    classes the solver left before their end.
    """
    products = _Products.of(representations, kept, left_out, device)
    classes = _Classes.of(truth[kept], device)
    for unit_length in (False, True):  # in a function of its own, whose products are freed at its end
        yield from _margins_of_kernel(products.kernel(unit_length=unit_length), unit_length, classes)


def _margins_of_kernel(
    kernel: Float[Tensor, "M N"], unit_length: bool, classes: _Classes
) -> Iterator[tuple[SVMChoice, np.ndarray, int]]:
    num = kernel.shape[1]
    videos, solution = VideoProducts.of(kernel[:num]), None
    for choice in (one for one in CHOICES if one.unit_length == unit_length):
        solution = solve(videos, classes.signs, choice.c, solution)  # C grows, and the last one is near
        margins = classes.of_all(kernel[num:] @ solution.coefficients, 1.0, -1.0)
        yield choice, margins.cpu().numpy(), int((~solution.is_done).sum())


@dataclass(frozen=True)
class _Classes:
    """The classes that some of the videos have and some have not: an SVM is fitted to these alone.

    Attributes:
        signs: 1 or −1, of each video and each of these classes.
        is_open: which of all classes they are.
        has_all: which classes all videos have.
    """

    signs: Float[Tensor, "N _"]
    is_open: Bool[Tensor, " A"]
    has_all: Bool[Tensor, " A"]

    @staticmethod
    def of(truth: Bool[np.ndarray, "N A"], device: torch.device) -> _Classes:
        has = torch.from_numpy(truth).to(device)
        is_open = has.any(dim=0) & ~has.all(dim=0)
        return _Classes(has[:, is_open].double() * 2 - 1, is_open, has.all(dim=0))

    def of_all(
        self, values: Float[Tensor, "M _"], where_all: float, where_none: float
    ) -> Float[Tensor, "M A"]:
        """Values of these classes, and constants of those that all videos have and that none has."""
        rows = torch.where(self.has_all, where_all, where_none).to(values).repeat(len(values), 1)
        rows[:, self.is_open] = values
        return rows


@dataclass(frozen=True)
class _Products:
    """Scalar products of standardised representations: of all M videos with the first N, which are fitted to.

    Attributes:
        values: as they are.
        lengths: of each representation; 1 where it is 0.
    """

    values: Float[Tensor, "M N"]
    lengths: Float[Tensor, " M"]

    @staticmethod
    def of(
        representations: np.ndarray, fitted: np.ndarray, others: np.ndarray, device: torch.device
    ) -> _Products:
        """Of the videos at the places ``fitted``, and then those at the places ``others``.

        Blocks of numbers are multiplied in single precision and added up in double precision.
        """
        order, num = np.concatenate([fitted, others]), len(fitted)
        starts = range(0, num, VIDEOS_AT_ONCE)
        parts = [(start, min(start + VIDEOS_AT_ONCE, num)) for start in starts]
        values = torch.zeros(len(order), num, dtype=torch.float64, device=device)
        squares = torch.zeros(len(order), dtype=torch.float64, device=device)
        for _, _, rows in _standardised(representations, order, fitted):
            block = torch.from_numpy(rows).to(device, torch.float32)
            squares += block.square().sum(dim=1)
            for start, stop in parts:  # each two of the fitted ones but once
                values[start:, start:stop] += block[start:] @ block[start:stop].T
        for start, stop in parts:
            values[start:stop, stop:] = values[stop:num, start:stop].T
        lengths = squares.sqrt()
        return _Products(values, torch.where(lengths > 0, lengths, 1))

    def kernel(self, *, unit_length: bool) -> Float[Tensor, "M N"]:
        """With the bias's 1 in each; of representations scaled to length 1 if that is wanted."""
        if not unit_length:
            return self.values + 1
        kernel = self.values / self.lengths[:, None]
        kernel /= self.lengths[: kernel.shape[1]]  # in place: a copy of it is what memory is short of
        kernel += 1
        return kernel


def _standardised(
    representations: np.ndarray, order: np.ndarray, fitted: np.ndarray
) -> Iterator[tuple[slice, StandardScaler, np.ndarray]]:
    """Some numbers after the other: which, a scaler fitted to some videos, and the rows in their order."""
    dim = representations.shape[1]
    for start in range(0, dim, NUMBERS_AT_ONCE):
        numbers = slice(start, min(start + NUMBERS_AT_ONCE, dim))
        block = representations[:, numbers].astype(np.float64)
        scaler = StandardScaler().fit(block[fitted])
        yield numbers, scaler, scaler.transform(block[order])


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
    broken = np.flatnonzero(~np.isfinite(representations).all(axis=1))
    if len(broken):
        raise ModelError(
            f"{len(broken)} of {videos} representations are not finite numbers, first that at place "
            f"{broken[0]}: the network's weights are broken; load others"
        )
