"""TV-L1 in plain PyTorch, batched over pairs: the readable reference, for any device and number type."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from attcell.flow._fixed_point import Linearised, Solution, Weights, iterate
from attcell.flow._pictures import central_gradient, median5, resized, seen_at_targets
from attcell.flow._settings import STEPS, TVL1, pyramid_sizes


def tvl1_plain(first: Tensor, second: Tensor, settings: TVL1) -> Tensor:
    """(B, H, W) twice -> (B, 2, H, W)."""
    height, width = first.shape[-2:]
    pictures = [torch.stack([first, second], dim=1)]
    for size in pyramid_sizes(height, width, settings.num_scales, settings.scale_step)[1:]:
        pictures.append(resized(pictures[-1], size, settings.scale_step))
    flow = torch.zeros_like(pictures[-1])
    for scale in reversed(pictures):
        if flow.shape != scale.shape:
            flow = resized(flow, scale.shape[-2:]) * (1 / settings.scale_step)
        flow = _at_one_scale(scale[:, 0], scale[:, 1], flow, settings)
    return flow


def _at_one_scale(first: Tensor, second: Tensor, flow: Tensor, settings: TVL1) -> Tensor:
    moving = torch.stack([second, *central_gradient(second)], dim=1)
    solution = Solution.starting_at(flow)
    for _ in range(settings.num_warps):
        flow = solution.flow
        picture, gx, gy = seen_at_targets(moving, flow, settings.warp).unbind(1)
        rest = picture - gx * flow[:, 0] - gy * flow[:, 1] - first
        solution = solved(solution, Linearised.of(gx, gy, rest), settings)
    return solution.flow


# The iterations of one warp: in rounds, each after a median, until every pair of the batch is done.


def solved(solution: Solution, linearised: Linearised, settings: TVL1) -> Solution:
    """Iterate each pair until it is done; then it leaves the batch, so that it costs nothing more."""
    weights = Weights(settings.tau, settings.attachment, settings.theta, settings.exact_length)
    enough = settings.epsilon**2 * linearised.num_pixels
    active, done = torch.arange(solution.size[0], device=solution.rows.device), []
    for _ in range(settings.rounds):
        if settings.median:
            u = solution.planes[:2]
            u[:] = median5(u.flatten(0, 1)).view_as(u)
        left, seen = settings.round_iterations, linearised.rows.new_zeros(0, len(active))
        while left:
            steps = min(left, _foreseen(seen, enough))
            left -= steps
            before = solution
            solution, changes = iterate(before, linearised, steps, weights, measured=settings.epsilon > 0)
            is_done, seen = changes <= enough, torch.cat([seen[-1:], changes])
            if not is_done.any():
                continue
            for pairs, num in _ended(is_done):
                last = solution.only(pairs)
                if num < steps:
                    last, _ = iterate(before.only(pairs), linearised.only(pairs), num, weights, measured=True)
                done.append((active[pairs], last))
            goes_on = ~is_done.any(0)
            if not goes_on.any():
                return Solution.joined(done)
            active, solution, linearised = active[goes_on], solution.only(goes_on), linearised.only(goes_on)
            seen = seen[:, goes_on]
    return Solution.joined([*done, (active, solution)])


def _foreseen(seen: Tensor, enough: float) -> int:
    """How many more iterations the first pair to be done will take, if the changes seen (steps, B) fall on.

    A call that ends where a pair is done need not be made again. A wrong guess costs time and no accuracy.
    """
    if len(seen) < 2:
        return STEPS
    guesses = [
        math.ceil(math.log(last / enough) / math.log(before / last)) if before > last else STEPS
        for before, last in seen[-2:].T.tolist()
    ]
    return max(1, min(STEPS, *guesses))


def _ended(is_done: Tensor) -> Iterator[tuple[Tensor, int]]:
    """After which iteration pairs were done (steps, B) -> which pairs (B,), and after how many."""
    for step in is_done.any(1).nonzero()[:, 0].tolist():
        pairs = is_done[step] & ~is_done[:step].any(0)
        if pairs.any():
            yield pairs, step + 1
