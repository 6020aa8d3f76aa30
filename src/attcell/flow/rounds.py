"""The iterations of one warp: in rounds, each after a median, until every pair of the batch is done."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from attcell.flow.fixed_point import STEPS, Linearised, Solution, Weights, iterate
from attcell.flow.median import median5
from attcell.flow.settings import TVL1

_SIZES = (STEPS, 2, 1)  # iterations in one call: few sizes, for each is compiled


def solved(solution: Solution, linearised: Linearised, settings: TVL1, compiled: bool) -> Solution:
    """Iterate each pair until it is done; then it leaves the batch, so that it costs nothing more."""
    weights = Weights(settings.tau, settings.attachment, settings.theta, settings.exact_length)
    enough = settings.epsilon**2 * linearised.num_pixels
    active, done = torch.arange(solution.size[0], device=solution.rows.device), []
    for _ in range(settings.rounds):
        if settings.median:
            u = solution.planes[:2]
            u[:] = median5(u.flatten(0, 1), compiled).view_as(u)
        left, seen = settings.round_iterations, linearised.rows.new_zeros(0, len(active))
        while left:
            steps = _largest(min(left, _foreseen(seen, enough)))
            left -= steps
            before = solution
            solution, changes = iterate(
                before, linearised, steps, weights, measured=settings.epsilon > 0, compiled=compiled
            )
            is_done, seen = changes <= enough, torch.cat([seen[-1:], changes])
            if not is_done.any():
                continue
            for pairs, num in _ended(is_done):
                last = solution.only(pairs)
                if num < steps:
                    last = _again(before.only(pairs), linearised.only(pairs), num, weights, compiled)
                done.append((active[pairs], last))
            goes_on = ~is_done.any(0)
            if not goes_on.any():
                return Solution.joined(done)
            active, solution, linearised = active[goes_on], solution.only(goes_on), linearised.only(goes_on)
            seen = seen[:, goes_on]
    return Solution.joined([*done, (active, solution)])


def _largest(most: int) -> int:
    return next(size for size in _SIZES if size <= most)


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
    return max(1, min(guesses))


def _again(start: Solution, linearised: Linearised, num: int, weights: Weights, compiled: bool) -> Solution:
    """So many iterations from the start."""
    while num:
        steps = _largest(num)
        start, _ = iterate(start, linearised, steps, weights, measured=True, compiled=compiled)
        num -= steps
    return start


def _ended(is_done: Tensor) -> Iterator[tuple[Tensor, int]]:
    """After which iteration pairs were done (steps, B) -> which pairs (B,), and after how many."""
    for step in is_done.any(1).nonzero()[:, 0].tolist():
        pairs = is_done[step] & ~is_done[:step].any(0)
        if pairs.any():
            yield pairs, step + 1
