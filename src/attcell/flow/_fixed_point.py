"""The inner loop of TV-L1 in plain PyTorch: a few fixed point iterations in one call.

Nearly all the time of TV-L1 goes here, and memory is what it costs. So the planes (B, H, W) are kept as
one long row of B·H·W numbers, in which a neighbour is a slice that begins 1 or W numbers earlier or later:
no copy, no case at the border. That is allowed because a difference over the border (of a row, of a
picture) is masked to zero. This keeps the dual variables zero in the last column (x) or row (y), and it is
those that the divergence would read over the border. Each iteration needs W more numbers on either side
than it gives; so a row has margins. That also lets the row be cut into pieces that fit a core's cache, each
of which goes through all the iterations of a call alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attcell.flow._settings import STEPS  # the most iterations in one call, and the height of a margin

_NUMBERS_AT_ONCE = 2**16  # of a row, on the CPU: smaller pieces cost more in calls than they gain in cache


@dataclass(frozen=True)
class Weights:
    """The step τ of the dual ascent, λ (the attachment to the brightness) and θ (the coupling).

    ``exact_length``: whether lengths of the flow's gradient are rounded once only, by way of float64.
    """

    tau: float
    attachment: float
    theta: float
    exact_length: bool


@dataclass(frozen=True)
class Planes:
    """Planes (C, B, H, W) as C rows with margins.

    Attributes:
        rows: (C, STEPS·W + B·H·W + STEPS·W).
        size: (B, H, W).
    """

    rows: Tensor
    size: tuple[int, int, int]

    @staticmethod
    def empty(count: int, like: Tensor) -> Planes:
        """Of the size of a (B, H, W), with margins of zero and planes that are still to be written."""
        margin = STEPS * like.shape[-1]
        rows = like.new_empty(count, like.numel() + 2 * margin)
        rows[:, :margin] = 0
        rows[:, margin + like.numel() :] = 0
        num_pairs, height, width = like.shape
        return Planes(rows, (num_pairs, height, width))

    @property
    def planes(self) -> Tensor:
        """(C, B, H, W), a view."""
        margin = STEPS * self.size[2]
        return self.rows[:, margin : self.rows.shape[1] - margin].view(-1, *self.size)

    @property
    def num_pixels(self) -> int:
        """H·W."""
        return self.size[1] * self.size[2]


class Linearised(Planes):
    """The second picture, linear around a warp's flow.

    Six planes: its gradient in x and in y; what ρ is where the flow is zero; minus the squared gradient; and
    where differences in x and in y exist (1, else 0).
    """

    @staticmethod
    def of(gx: Tensor, gy: Tensor, rest: Tensor) -> Linearised:
        """Three planes (B, H, W)."""
        new = Planes.empty(6, gx)
        new.rows[3] = -1  # in the margins too, for it divides
        planes = new.planes
        planes[0], planes[1], planes[2] = gx, gy, rest
        # Without a gradient any negative number does: nothing moves along no gradient.
        planes[3] = -(gx * gx + gy * gy).clamp(min=torch.finfo(gx.dtype).tiny)
        planes[4:] = 1
        planes[4, :, :, -1] = 0
        planes[5, :, -1] = 0
        return Linearised(new.rows, new.size)

    def only(self, pairs: Tensor) -> Linearised:
        """These pairs of the batch."""
        return self if pairs.all() else Linearised.of(*self.planes[:3, pairs])


class Solution(Planes):
    """The flow and its dual variables: u1, u2; p11 and p12, which belong to u1; p21 and p22, to u2."""

    @staticmethod
    def starting_at(flow: Tensor) -> Solution:
        """From a flow (B, 2, H, W), with dual variables of zero."""
        u = flow.transpose(0, 1)
        return Solution._of(torch.cat([u, torch.zeros_like(u), torch.zeros_like(u)]))

    @staticmethod
    def joined(parts: Sequence[tuple[Tensor, Solution]]) -> Solution:
        """From solutions of some pairs each, with the places of these in the batch."""
        if len(parts) == 1:
            return parts[0][1]
        order = torch.cat([places for places, _ in parts]).argsort()
        return Solution._of(torch.cat([part.planes for _, part in parts], dim=1)[:, order])

    @staticmethod
    def _of(planes: Tensor) -> Solution:
        new = Planes.empty(6, planes[0])
        new.planes[:] = planes
        return Solution(new.rows, new.size)

    @property
    def flow(self) -> Tensor:
        """(B, 2, H, W), a view."""
        return self.planes[:2].transpose(0, 1)

    def only(self, pairs: Tensor) -> Solution:
        """These pairs of the batch."""
        return self if pairs.all() else Solution._of(self.planes[:, pairs])


def iterate(
    solution: Solution,
    picture: Linearised,
    steps: int,
    weights: Weights,
    *,
    measured: bool,
) -> tuple[Solution, Tensor]:
    """So many iterations, at most ``STEPS``.

    Returns:
        the next solution, and the sum of squares by which each iteration moved each pair's flow (steps, B);
        (0, B) if it is not to be measured.
    """
    num_pairs, height, width = solution.size
    on_cpu = solution.rows.device.type == "cpu"
    exact = weights.exact_length and on_cpu  # elsewhere other roundings differ too, and float64 can be slow
    moved = Planes.empty(6, solution.planes[0])
    changes = moved.rows.new_zeros(steps if measured else 0, num_pairs)
    most = _NUMBERS_AT_ONCE if on_cpu else num_pairs * height * width
    first = (STEPS - steps) * width
    for start, length, pairs in _pieces(num_pairs, height * width, most):
        here = slice(first + start, first + start + length + 2 * steps * width)
        squares = _iterate(
            steps,
            measured,
            exact,
            width,
            solution.rows[:, here],
            picture.rows[:, here],
            list(moved.rows[:, STEPS * width + start : STEPS * width + start + length]),
            weights.tau / weights.theta,
            weights.attachment * weights.theta,
            weights.theta,
        )
        if measured:
            changes[:, pairs] += squares.view(steps, pairs.stop - pairs.start, -1).sum(-1)
    return Solution(moved.rows, moved.size), changes


def _pieces(num_pairs: int, num_pixels: int, most: int) -> Iterator[tuple[int, int, slice]]:
    """Pieces of a row: where one starts, its length, and its pairs; each is some pairs, or a part of one."""
    if num_pixels <= most:
        at_once = most // num_pixels
        for pair in range(0, num_pairs, at_once):
            pairs = slice(pair, min(pair + at_once, num_pairs))
            yield pair * num_pixels, (pairs.stop - pair) * num_pixels, pairs
        return
    length = -(-num_pixels // -(-num_pixels // most))
    for pair in range(num_pairs):
        for start in range(0, num_pixels, length):
            yield pair * num_pixels + start, min(length, num_pixels - start), slice(pair, pair + 1)


def _iterate(
    steps: int,
    measured: bool,
    exact: bool,
    width: int,
    state: Tensor,
    rows: Tensor,
    moved: list[Tensor],
    tau_theta: float,
    attachment_theta: float,
    theta: float,
) -> Tensor:
    """State, picture (6, N + 2·steps·W): writes the next state, 6 rows (N,), returns squares (steps, N)."""
    u1, u2, p11, p12, p21, p22 = state
    squares = []
    for step in range(1, steps + 1):
        first, last = step * width, rows.shape[1] - (step - 1) * width
        gx, gy, rest, minus_squared, has_x, has_y = rows[:, first:last]
        has_left = rows[4, first - 1 : last - 1] > 0
        before1, before2 = u1[width:], u2[width:]
        # The auxiliary flow minimises its quadratic distance to u plus λθ|ρ| at each pixel: the thresholding.
        rho = rest + (gx * before1 + gy * before2)
        move = (rho / minus_squared).clamp(-attachment_theta, attachment_theta)
        u1 = (before1 + move * gx) + theta * _divergence(p11, p12, has_left, width)
        u2 = (before2 + move * gy) + theta * _divergence(p21, p22, has_left, width)
        p11, p12 = _ascended(p11, p12, u1, has_x, has_y, width, tau_theta, exact)
        p21, p22 = _ascended(p21, p22, u2, has_x, has_y, width, tau_theta, exact)
        u1, u2 = u1[:-width], u2[:-width]
        if measured:
            inner = slice((steps - step) * width, len(u1) - (steps - step) * width)
            moved1, moved2 = u1 - before1[:-width], u2 - before2[:-width]
            squares.append((moved1 * moved1 + moved2 * moved2)[inner])
    for row, value in zip(moved, (u1, u2, p11, p12, p21, p22), strict=True):
        row.copy_(value)
    return torch.stack(squares) if measured else state[:0]


def _divergence(px: Tensor, py: Tensor, has_left: Tensor, width: int) -> Tensor:
    """Backward differences, of all but the first W numbers; the terms are added in the order of OpenCV."""
    dx = px[width:] - px[width - 1 : -1]
    here, above = py[width:], py[:-width]
    return torch.where(has_left, dx + (here - above), (dx + here) - above)


def _ascended(
    px: Tensor,
    py: Tensor,
    u: Tensor,
    has_x: Tensor,
    has_y: Tensor,
    width: int,
    tau_theta: float,
    exact: bool,
) -> tuple[Tensor, Tensor]:
    """The dual variable a step along the gradient of u, and kept within its bound: W numbers fewer than u."""
    here = u[:-width]
    dx = (u[1 : len(u) - width + 1] - here) * has_x[:-width]
    dy = (u[width:] - here) * has_y[:-width]
    divisor = 1 + tau_theta * _length(dx, dy, exact)
    return (
        (px[width:-width] + tau_theta * dx) / divisor,
        (py[width:-width] + tau_theta * dy) / divisor,
    )


def _length(dx: Tensor, dy: Tensor, exact: bool) -> Tensor:
    if not exact:
        return (dx * dx + dy * dy).sqrt()
    x, y = dx.double(), dy.double()
    return torch.addcmul(x * x, y, y).sqrt().to(dx.dtype)
