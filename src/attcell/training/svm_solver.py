"""Linear SVMs of all classes at once, from nothing but the scalar products of their videos.

A class with labels y of ±1 gets the SVM of scikit-learn's LinearSVC: the w that minimises

    P(w) = ½ ‖w‖² + C Σᵢ max(0, 1 − yᵢ w·xᵢ)²,

where each x has a further number, always 1, whose weight is the bias. It is w = Σᵢ βᵢ xᵢ, and with K = X Xᵀ
the outputs are o = K β. On the videos S inside the margin, those with yᵢ oᵢ < 1, the best β solves

    (K_SS + I/(2C)) β_S = y_S,

and elsewhere it is 0. Newton's method solves this for the S of the step before, until S stays (O. Chapelle,
"Training a support vector machine in the primal", Neural Computation 19, 2007). The classes have the same K,
so that a step of conjugate gradients for all of them is one product of matrices, by all cores or a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

MOST_STEPS = 100  # of Newton's method; it takes 2 to 10
MOST_INNER_STEPS = 500  # of conjugate gradients, for one step of Newton's
TOLERANCE = 1e-5  # of a video's margin, which is 1: as LinearSVC measures it
DIRECTIONS = 128  # of the videos' largest spread, which conjugate gradients are spared
FALL = 1e-8  # of the inner error, squared, before Newton's next step
FEW = 500  # videos up to which all is computed in double precision; beyond, conjugate gradients in single


@dataclass(frozen=True)
class VideoProducts:
    """Scalar products of N videos, and the directions in which they spread most.

    Attributes:
        gram: K, with the bias's 1 in each.
        inner_gram: the same for conjugate gradients, which correct a solution and may be less exact.
        leading: W = U (Λ − ``rest``)^½ of K's largest eigenvalues Λ.
        spread: Λ − ``rest``.
        rest: the largest of the other eigenvalues, about.
    """

    gram: Float[Tensor, "N N"]
    inner_gram: Float[Tensor, "N N"]
    leading: Float[Tensor, "N k"]
    spread: Float[Tensor, " k"]
    rest: float

    @staticmethod
    def of(gram: Float[Tensor, "N N"]) -> VideoProducts:
        """Find the directions: all of them for few videos, else by three steps of orthogonal iteration."""
        if len(gram) <= DIRECTIONS:
            values, vectors = torch.linalg.eigh(gram)
            rest = 0.0
        else:
            generator = torch.Generator().manual_seed(0)
            start = torch.randn(len(gram), DIRECTIONS, generator=generator, dtype=gram.dtype)
            basis = torch.linalg.qr(start.to(gram.device)).Q
            for _ in range(3):
                basis = torch.linalg.qr(gram @ basis).Q
            values, turned = torch.linalg.eigh(basis.T @ (gram @ basis))
            vectors, rest = basis @ turned, max(0.0, float(values[0]))
        beyond = values - rest
        counted = beyond > 1e-12 * values[-1]
        leading = vectors[:, counted] * beyond[counted].sqrt()
        inner_gram = gram if len(gram) <= FEW else gram.float()
        return VideoProducts(gram, inner_gram, leading, beyond[counted], rest)


@dataclass(frozen=True)
class Solution:
    """The SVMs of A classes on N videos.

    Attributes:
        coefficients: β; a class's weights are Σᵢ βᵢ xᵢ.
        outputs: K β, the videos' own.
        is_done: whether a class is at its end.
    """

    coefficients: Float[Tensor, "N A"]
    outputs: Float[Tensor, "N A"]
    is_done: Bool[Tensor, " A"]


def solve(
    videos: VideoProducts, signs: Float[Tensor, "N A"], c: float, start: Solution | None = None
) -> Solution:
    """The SVM of each class against the rest.

    Args:
        videos: that it learns from.
        signs: y of each class, 1 or −1; each class has both.
        c: what a video inside the margin costs.
        start: a solution to begin with, such as one for another C.

    A class is at its end when each video has α = y β = 0 and a margin y o of at least 1, or α > 0 and a
    margin of 1 − α/(2C), up to :data:`TOLERANCE`.
    """
    ridge = 1 / (2 * c)
    beta = torch.zeros_like(signs) if start is None else start.coefficients.clone()
    outputs = torch.zeros_like(signs) if start is None else start.outputs.clone()
    falls = torch.full_like(signs[0], FALL)
    for _ in range(MOST_STEPS):
        is_done = _errors(videos.gram, beta, outputs, signs, ridge) <= TOLERANCE
        open_classes = (~is_done).nonzero()[:, 0]
        if not len(open_classes):
            break
        y, before = signs[:, open_classes], (beta[:, open_classes], outputs[:, open_classes])
        after = _solve_inside(videos, y, before, ridge, falls[open_classes])
        ahead = after[0] - before[0], after[1] - before[1]
        length = _step_length(before, ahead, y, ridge)
        beta[:, open_classes] = before[0] + length * ahead[0]
        outputs[:, open_classes] = before[1] + length * ahead[1]
        falls[open_classes[length < 0.1]] *= 0.1  # a direction that leads nowhere was not exact enough
    return Solution(beta, outputs, _errors(videos.gram, beta, outputs, signs, ridge) <= TOLERANCE)


def _errors(gram: Tensor, beta: Tensor, outputs: Tensor, signs: Tensor, ridge: float) -> Float[Tensor, " A"]:
    """How far a class's worst video is from its end, in margins.

    It is |min((Kᵢᵢ + ridge) α, y o − 1 + ridge α)|: by how much the video's margin would change if its α
    alone were made the best.
    """
    alpha = signs * beta
    lacking = signs * outputs - 1 + ridge * alpha
    own = gram.diagonal()[:, None] + ridge
    return torch.minimum(own * alpha, lacking).abs().amax(dim=0)


def _solve_inside(
    videos: VideoProducts, signs: Tensor, start: tuple[Tensor, Tensor], ridge: float, falls: Tensor
) -> tuple[Tensor, Tensor]:
    """β of (K_SS + ridge) β_S = y_S for the videos S inside each class's margin, and K β.

    By preconditioned conjugate gradients (Hestenes and Stiefel), all classes side by side.
    """
    inside = signs * start[1] < 1
    beta = start[0] * inside
    outputs = videos.gram @ beta
    gram = videos.inner_gram
    residual = (inside * (signs - outputs - ridge * beta)).to(gram)
    precondition = _Preconditioner(videos, inside, ridge)
    ahead = near = precondition(residual)
    error = (residual * near).sum(dim=0)
    enough, change = falls.to(gram) * error, torch.zeros_like(residual)
    for _ in range(MOST_INNER_STEPS):
        resisting = inside * (gram @ ahead + ridge * ahead)
        length = _ratio(error, (ahead * resisting).sum(dim=0))
        change = change + length * ahead
        residual = residual - length * resisting
        near = precondition(residual)
        before, error = error, (residual * near).sum(dim=0)
        if bool((error <= enough).all()):
            break
        ahead = near + _ratio(error, before) * ahead
    return beta + change, outputs + videos.gram @ change.to(beta)


def _ratio(over: Tensor, under: Tensor) -> Tensor:
    """0 where a class's system is solved already."""
    return torch.where(under > 0, over / under, 0)


_NO_DIRECTION = 1e15  # a factor with which no direction counts, where rounding left none that can be used


class _Preconditioner:
    """About (K_SS + ridge)⁻¹: exact in the videos' leading directions, the rest taken as alike in all others.

    K is about W Wᵀ + rest, so by Woodbury's formula it is (I − W_S (W_Sᵀ W_S + t)⁻¹ W_Sᵀ) / t with
    t = rest + ridge.
    """

    def __init__(self, videos: VideoProducts, inside: Bool[Tensor, "N A"], ridge: float) -> None:
        precision = videos.inner_gram.dtype
        self._leading = videos.leading.to(precision)
        self._inside = inside
        self._rest = videos.rest + ridge
        inner = torch.stack([self._of_class(videos, one) for one in inside.T])
        factors, failed = torch.linalg.cholesky_ex(inner)
        factors[failed > 0] = _NO_DIRECTION * torch.eye(inner.shape[-1]).to(inner)
        self._factors = factors.to(precision)

    def _of_class(self, videos: VideoProducts, inside: Bool[Tensor, " N"]) -> Float[Tensor, "k k"]:
        """W_Sᵀ W_S + t; by those that are not in S if they are fewer, for Wᵀ W is known."""
        most = bool(2 * inside.sum() > len(inside))
        rows = videos.leading[~inside if most else inside]
        if most:
            return (videos.spread + self._rest).diag() - rows.T @ rows
        return rows.T @ rows + self._rest * torch.eye(rows.shape[1]).to(rows)

    def __call__(self, residual: Float[Tensor, "N A"]) -> Float[Tensor, "N A"]:
        short = (self._leading.T @ residual).T[..., None]
        known = torch.cholesky_solve(short, self._factors)[..., 0].T
        return self._inside * (residual - self._leading @ known) / self._rest


def _step_length(
    before: tuple[Tensor, Tensor], ahead: tuple[Tensor, Tensor], signs: Tensor, ridge: float
) -> Float[Tensor, " A"]:
    """How much of a step ahead, 0 to 1, lessens P: all of it, or as far as P falls, found by halving.

    P is convex, so that where it still falls it has fallen all the way.
    """
    own = (before[0] * ahead[1]).sum(dim=0)
    square = (ahead[0] * ahead[1]).sum(dim=0)

    def slope(length: Tensor) -> Tensor:
        owed = (1 - signs * (before[1] + length * ahead[1])).clamp_min(0)
        return own + length * square - (owed * signs * ahead[1]).sum(dim=0) / ridge

    low, high = torch.zeros_like(own), torch.ones_like(own)
    level = 1e-3 * slope(low).abs()  # as good as 0: at the end of a whole step the slope is rounding errors
    low = torch.where(slope(high) <= level, high, low)
    if not bool(low.all()):
        for _ in range(20):
            middle = (low + high) / 2
            is_falling = slope(middle) <= level
            low, high = torch.where(is_falling, middle, low), torch.where(is_falling, high, middle)
    return low
