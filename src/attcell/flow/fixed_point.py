"""The inner loop of TV-L1: a few fixed point iterations in one call, on planes, so that they can be compiled.

Nearly all the time of TV-L1 goes here; a compiled iteration is two passes over the pixels. The dual variables
are zero in the last column (x) or row (y), for the flow has no difference there; that is why the divergence
needs no case for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor


@dataclass(frozen=True)
class Linearised:
    """The second picture, linear around the warp's flow; planes (B, H, W).

    Attributes:
        gx: its gradient in x.
        gy: its gradient in y.
        rest: what ρ is where the flow is zero.
        inverse: 1 / (gx² + gy²), or 0 where there is no gradient.
    """

    gx: Tensor
    gy: Tensor
    rest: Tensor
    inverse: Tensor

    def only(self, pairs: Tensor) -> Linearised:
        """These pairs of the batch."""
        return Linearised(self.gx[pairs], self.gy[pairs], self.rest[pairs], self.inverse[pairs])


@dataclass(frozen=True)
class Solution:
    """The flow u and its dual variables p, planes (B, H, W): p11 and p12 belong to u1, p21 and p22 to u2."""

    u1: Tensor
    u2: Tensor
    p11: Tensor
    p12: Tensor
    p21: Tensor
    p22: Tensor

    @staticmethod
    def starting_at(flow: Tensor) -> Solution:
        """From a flow (B, 2, H, W), with dual variables of zero."""
        u1, u2 = (plane.contiguous() for plane in flow.unbind(1))
        return Solution(u1, u2, *(torch.zeros_like(u1) for _ in range(4)))

    def flow(self) -> Tensor:
        """(B, 2, H, W)."""
        return torch.stack([self.u1, self.u2], dim=1)

    def planes(self) -> tuple[Tensor, ...]:
        return (self.u1, self.u2, self.p11, self.p12, self.p21, self.p22)

    def with_flow(self, u1: Tensor, u2: Tensor) -> Solution:
        return Solution(u1, u2, self.p11, self.p12, self.p21, self.p22)

    def only(self, pairs: Tensor) -> Solution:
        """These pairs of the batch."""
        return Solution(*(plane[pairs] for plane in self.planes()))

    def with_pairs(self, pairs: Tensor, others: Solution) -> Solution:
        """This one, with some of its pairs from another."""
        if len(pairs) == len(self.u1):
            return others
        planes = zip(self.planes(), others.planes(), strict=True)
        return Solution(*(own.index_copy(0, pairs, other) for own, other in planes))


def iterate(
    solution: Solution,
    picture: Linearised,
    steps: int,
    tau: float,
    attachment: float,
    theta: float,
    compiled: bool,
) -> tuple[Solution, Tensor]:
    """So many iterations: the next solution, and the sums of squares by which they moved it (steps, B)."""
    run = _compiled(steps) if compiled else partial(_iterate, steps)
    *planes, change = run(
        *solution.planes(),
        picture.gx,
        picture.gy,
        picture.rest,
        picture.inverse,
        tau / theta,
        attachment * theta,
        theta,
    )
    return Solution(*planes), change


@cache
def _compiled(steps: int) -> Callable[..., tuple[Tensor, ...]]:
    return torch.compile(partial(_iterate, steps), dynamic=True, fullgraph=True)


def _iterate(
    steps: int,
    u1: Tensor,
    u2: Tensor,
    p11: Tensor,
    p12: Tensor,
    p21: Tensor,
    p22: Tensor,
    gx: Tensor,
    gy: Tensor,
    rest: Tensor,
    inverse: Tensor,
    tau_theta: float,
    attachment_theta: float,
    theta: float,
) -> tuple[Tensor, ...]:
    changes = []
    for _ in range(steps):
        before1, before2 = u1, u2
        # The auxiliary flow minimises its quadratic distance to u plus λθ|ρ| at each pixel: the thresholding.
        step = ((rest + gx * u1 + gy * u2) * -inverse).clamp(-attachment_theta, attachment_theta)
        u1 = u1 + step * gx + theta * _divergence(p11, p12)
        u2 = u2 + step * gy + theta * _divergence(p21, p22)
        p11, p12 = _ascended(p11, p12, u1, tau_theta)
        p21, p22 = _ascended(p21, p22, u2, tau_theta)
        changes.append(((u1 - before1).square() + (u2 - before2).square()).sum((-2, -1)))
    return u1, u2, p11, p12, p21, p22, torch.stack(changes)


def _divergence(px: Tensor, py: Tensor) -> Tensor:
    """Backward differences; outside the picture p is zero."""
    left = torch.cat([torch.zeros_like(px[..., :1]), px[..., :-1]], dim=-1)
    above = torch.cat([torch.zeros_like(py[..., :1, :]), py[..., :-1, :]], dim=-2)
    return px - left + py - above


def _ascended(px: Tensor, py: Tensor, u: Tensor, tau_theta: float) -> tuple[Tensor, Tensor]:
    """The dual variable a step along the gradient of u, and kept within its bound."""
    dx = torch.cat([u[..., 1:] - u[..., :-1], torch.zeros_like(u[..., :1])], dim=-1)
    dy = torch.cat([u[..., 1:, :] - u[..., :-1, :], torch.zeros_like(u[..., :1, :])], dim=-2)
    scale = 1 / (1 + tau_theta * (dx * dx + dy * dy).sqrt())
    return (px + tau_theta * dx) * scale, (py + tau_theta * dy) * scale
