"""The inner loop of TV-L1: a few fixed point iterations in one call, so that they can be compiled.

Nearly all the time of TV-L1 goes here, and memory is what it costs. So the planes (B, H, W) are taken as
one long row of B·H·W numbers, in which a neighbour is a slice that begins 1 or W numbers earlier or later:
no copy, no case at the border. That is allowed because a difference over the border (of a row, of a
picture) is masked to zero. This keeps the dual variables zero in the last column (x) or row (y), and it is
those that the divergence would read over the border. Each iteration needs W more numbers on either side
than it gives; so a row starts with a margin, and comes out without. That also lets the row be cut into
pieces that fit a core's cache, each of which goes through all the iterations of a call alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional

STEPS = 5  # the most iterations in one call
_NUMBERS_AT_ONCE = 2**15  # of a row, on the CPU: smaller pieces cost more in calls than they gain in cache


@dataclass(frozen=True)
class Weights:
    """The step τ of the dual ascent, λ (the attachment to the brightness) and θ (the coupling)."""

    tau: float
    attachment: float
    theta: float


@dataclass(frozen=True)
class Linearised:
    """The second picture, linear around a warp's flow.

    Attributes:
        planes: (4, B, H, W): its gradient in x and in y; what ρ is where the flow is zero; and the inverse of
            the squared gradient, or 0 where there is none.
        rows: (6, N): the planes as rows with margins, and where x and y differences exist (1, else 0).
    """

    planes: Tensor
    rows: Tensor

    @staticmethod
    def of(planes: Tensor) -> Linearised:
        width = planes.shape[-1]
        masks = torch.ones_like(planes[:2])
        masks[0, :, :, -1] = 0
        masks[1, :, -1, :] = 0
        rows = torch.cat([planes, masks]).view(6, -1)
        return Linearised(planes, functional.pad(rows, (STEPS * width, STEPS * width)))

    @property
    def num_pixels(self) -> int:
        """H·W."""
        return self.planes[0, 0].numel()

    def only(self, pairs: Tensor) -> Linearised:
        """These pairs of the batch."""
        return Linearised.of(self.planes[:, pairs])


@dataclass(frozen=True)
class Solution:
    """The flow and its dual variables.

    Attributes:
        planes: (6, B, H, W): u1, u2; p11 and p12, which belong to u1; p21 and p22, which belong to u2.
    """

    planes: Tensor

    @staticmethod
    def starting_at(flow: Tensor) -> Solution:
        """From a flow (B, 2, H, W), with dual variables of zero."""
        u = flow.transpose(0, 1)
        return Solution(torch.cat([u, torch.zeros_like(u), torch.zeros_like(u)]))

    def flow(self) -> Tensor:
        """(B, 2, H, W)."""
        return self.planes[:2].transpose(0, 1)

    def with_flow(self, flow: Tensor) -> Solution:
        """The same dual variables, another flow (2, B, H, W)."""
        return Solution(torch.cat([flow, self.planes[2:]]))

    def only(self, pairs: Tensor) -> Solution:
        """These pairs of the batch."""
        return Solution(self.planes[:, pairs])

    def with_pairs(self, pairs: Tensor, others: Solution) -> Solution:
        """This one, with some of its pairs from another."""
        if len(pairs) == self.planes.shape[1]:
            return others
        return Solution(self.planes.index_copy(1, pairs, others.planes))


def iterate(
    solution: Solution,
    picture: Linearised,
    steps: int,
    weights: Weights,
    *,
    measured: bool,
    compiled: bool,
) -> tuple[Solution, Tensor]:
    """So many iterations, at most ``STEPS``.

    Returns:
        the next solution, and the sum of squares by which each iteration moved each pair's flow (steps, B);
        (0, B) if it is not to be measured.
    """
    _, num_pairs, height, width = solution.planes.shape
    run = _compiled(steps, measured) if compiled else partial(_iterate, steps, measured)
    margin, surplus = steps * width, (STEPS - steps) * width
    state = functional.pad(solution.planes.view(6, -1), (margin, margin))
    num_numbers = state.shape[1] - 2 * margin
    piece = _NUMBERS_AT_ONCE if state.device.type == "cpu" else num_numbers
    moved = torch.empty_like(solution.planes).view(6, -1)
    squares = moved.new_empty(steps if measured else 0, num_numbers)
    for start in range(0, num_numbers, piece):
        stop = min(start + piece, num_numbers)
        rows = picture.rows[:, surplus + start : surplus + stop + 2 * margin]
        moved[:, start:stop], squares[:, start:stop] = run(
            width,
            state[:, start : stop + 2 * margin],
            rows,
            weights.tau / weights.theta,
            weights.attachment * weights.theta,
            weights.theta,
        )
    return Solution(moved.view_as(solution.planes)), squares.view(-1, num_pairs, height * width).sum(-1)


@cache
def _compiled(steps: int, measured: bool) -> Callable[..., tuple[Tensor, Tensor]]:
    return torch.compile(partial(_iterate, steps, measured), dynamic=True, fullgraph=True)


def _iterate(
    steps: int,
    measured: bool,
    width: int,
    state: Tensor,
    rows: Tensor,
    tau_theta: float,
    attachment_theta: float,
    theta: float,
) -> tuple[Tensor, Tensor]:
    """State and picture (6, N + 2·steps·W) -> state (6, N), and the squares of each iteration (steps, N)."""
    u1, u2, p11, p12, p21, p22 = state
    squares = []
    for step in range(1, steps + 1):
        gx, gy, rest, inverse, has_x, has_y = rows[:, step * width : rows.shape[1] - (step - 1) * width]
        before1, before2 = u1[width:], u2[width:]
        # The auxiliary flow minimises its quadratic distance to u plus λθ|ρ| at each pixel: the thresholding.
        rho = rest + gx * before1 + gy * before2
        move = (rho * -inverse).clamp(-attachment_theta, attachment_theta)
        u1 = before1 + move * gx + theta * _divergence(p11, p12, width)
        u2 = before2 + move * gy + theta * _divergence(p21, p22, width)
        p11, p12 = _ascended(p11, p12, u1, has_x, has_y, width, tau_theta)
        p21, p22 = _ascended(p21, p22, u2, has_x, has_y, width, tau_theta)
        u1, u2 = u1[:-width], u2[:-width]
        if measured:
            inner = slice((steps - step) * width, len(u1) - (steps - step) * width)
            moved1, moved2 = u1 - before1[:-width], u2 - before2[:-width]
            squares.append((moved1 * moved1 + moved2 * moved2)[inner])
    moved = torch.stack([u1, u2, p11, p12, p21, p22])
    return moved, torch.stack(squares) if measured else moved[:0]


def _divergence(px: Tensor, py: Tensor, width: int) -> Tensor:
    """Backward differences, of all but the first W numbers."""
    return (px[width:] - px[width - 1 : -1]) + (py[width:] - py[:-width])


def _ascended(
    px: Tensor, py: Tensor, u: Tensor, has_x: Tensor, has_y: Tensor, width: int, tau_theta: float
) -> tuple[Tensor, Tensor]:
    """The dual variable a step along the gradient of u, and kept within its bound: W numbers fewer than u."""
    here = u[:-width]
    dx = (u[1 : len(u) - width + 1] - here) * has_x[:-width]
    dy = (u[width:] - here) * has_y[:-width]
    scale = 1 / (1 + tau_theta * (dx * dx + dy * dy).sqrt())
    return (
        (px[width:-width] + tau_theta * dx) * scale,
        (py[width:-width] + tau_theta * dy) * scale,
    )
