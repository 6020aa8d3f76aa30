"""TV-L1 optical flow (Zach, Pock and Bischof 2007), batched over pairs of pictures.

From a coarse scale to the full one, and at each scale a few times over: the second picture is warped by the
flow found so far, its brightness is made linear around that flow, and the convex problem that is left,

    minimise  Σ |∇u₁| + |∇u₂| + λ |ρ(u)|,    ρ(u) = I₁(x + u⁰) + ⟨∇I₁(x + u⁰), u − u⁰⟩ − I₀(x),

is solved by the fixed point iterations of :mod:`attcell.flow._fixed_point`. As in OpenCV's DualTVL1 the flow
goes through a 5×5 median every few iterations, and a pair is done with a warp once its flow hardly moves.

A last bit that differs becomes another code for every tenth pixel of a still background. So sums are added in
OpenCV's order, and what its resize and remap round once is rounded once here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float, Real
from torch import Tensor

from attcell.errors import CallError
from attcell.flow._fixed_point import STEPS, Linearised, Solution, Weights, iterate
from attcell.flow._pictures import central_gradient, median5, pyramid_sizes, resized, warped

_PIXELS_AT_ONCE = {"cpu": 2**17, "cuda": 2**25}  # what fits a core's cache; what keeps a GPU busy


@torch.inference_mode()
def tvl1(
    previous: Real[Tensor, "B H W"],
    following: Real[Tensor, "B H W"],
    settings: TVL1 | Literal["paper", "fast"] = "paper",
    *,
    compiled: bool = False,
) -> Float[Tensor, "B 2 H W"]:
    """Optical flow from each previous picture to the following one.

    Args:
        previous: grey pictures, 0 to 255, of any number type.
        following: the same shape, on the same device.
        settings: a preset's name, or settings of your own.
        compiled: compile the inner loop with ``torch.compile`` on first use (half a minute, kept on disk),
            which needs a C++ compiler on the CPU. The flow is the same up to rounding.

    Returns:
        x and y of the motion of each pixel, in pixels; float64 for float64 pictures, else float32. A pair's
        flow does not depend on the pairs beside it.

    Raises:
        CallError: shapes that differ or are not (B, H, W), a picture without pixels, an unknown preset.
    """
    _check(previous, following)
    keep_freed_memory()
    chosen = chosen_settings(settings)
    dtype = torch.float64 if previous.dtype == torch.float64 else torch.float32
    num_pairs, height, width = previous.shape
    at_once = max(1, _PIXELS_AT_ONCE.get(previous.device.type, 2**17) // (height * width))
    flow = torch.empty(num_pairs, 2, height, width, dtype=dtype, device=previous.device)
    for start in range(0, num_pairs, at_once):
        part = slice(start, start + at_once)
        flow[part] = _coarse_to_fine(previous[part].to(dtype), following[part].to(dtype), chosen, compiled)
    return flow


def _coarse_to_fine(first: Tensor, second: Tensor, settings: TVL1, compiled: bool) -> Tensor:
    """(B, H, W) twice -> (B, 2, H, W)."""
    height, width = first.shape[-2:]
    pictures = [torch.stack([first, second], dim=1)]
    for size in pyramid_sizes(height, width, settings.num_scales, settings.scale_step)[1:]:
        pictures.append(resized(pictures[-1], size, settings.scale_step))
    flow = torch.zeros_like(pictures[-1])
    for scale in reversed(pictures):
        if flow.shape != scale.shape:
            flow = resized(flow, scale.shape[-2:]) * (1 / settings.scale_step)
        flow = _at_one_scale(scale[:, 0], scale[:, 1], flow, settings, compiled)
    return flow


def _at_one_scale(first: Tensor, second: Tensor, flow: Tensor, settings: TVL1, compiled: bool) -> Tensor:
    moving = torch.stack([second, *central_gradient(second)], dim=1)
    solution = Solution.starting_at(flow)
    for _ in range(settings.num_warps):
        flow = solution.flow
        picture, gx, gy = warped(moving, flow, settings.warp, compiled).unbind(1)
        rest = picture - gx * flow[:, 0] - gy * flow[:, 1] - first
        solution = solved(solution, Linearised.of(gx, gy, rest), settings, compiled)
    return solution.flow


def _check(previous: Tensor, following: Tensor) -> None:
    if previous.shape != following.shape or previous.ndim != 3:
        raise CallError(
            f"pictures have shapes {tuple(previous.shape)} and {tuple(following.shape)}; "
            "allowed: two batches of grey pictures of one shape (B, H, W)"
        )
    if 0 in previous.shape[1:]:
        raise CallError(f"pictures have shape {tuple(previous.shape)}; a picture needs at least one pixel")


# What may be chosen of TV-L1, and the two choices that have a name.


@dataclass(frozen=True)
class TVL1:
    """Settings of the method.

    Attributes:
        tau: time step of the dual variable's ascent, at most 0.25.
        attachment: λ, the weight of the brightness against the smoothness of the flow.
        theta: θ, how tightly the flow and its auxiliary copy are bound.
        num_scales: of the pyramid; fewer where the next one would be narrower than 16 pixels.
        scale_step: size of a scale relative to the one before.
        num_warps: at each scale.
        rounds: at most so many rounds a warp, each a median and then ``round_iterations``.
        round_iterations: a multiple of 5, for so many are done in one call.
        epsilon: a pair is done with a warp once the root mean square change of an iteration is not above
            this, in pixels; 0 takes all iterations.
        median: whether each round starts with a 5×5 median of the flow.
        warp: interpolation of the second picture and its gradient.
        exact_length: take lengths of the flow's gradient in float64 on the CPU, as OpenCV does; slower.
    """

    tau: float = 0.25
    attachment: float = 0.15
    theta: float = 0.3
    num_scales: int = 5
    scale_step: float = 0.8
    num_warps: int = 5
    rounds: int = 10
    round_iterations: int = 30
    epsilon: float = 0.01
    median: bool = True
    warp: Literal["bicubic", "bilinear"] = "bicubic"
    exact_length: bool = True

    def __post_init__(self) -> None:
        counts = (self.num_scales, self.num_warps, self.rounds, self.round_iterations)
        if min(counts) < 1 or self.round_iterations % STEPS:
            raise CallError(
                f"num_scales, num_warps, rounds and round_iterations are {counts}; allowed: 1 or more, and "
                f"for round_iterations a multiple of {STEPS}"
            )
        if not (0 < self.tau <= 0.25 and self.attachment > 0 and self.theta > 0 and self.epsilon >= 0):
            raise CallError(
                f"tau, attachment, theta and epsilon are {self.tau}, {self.attachment}, {self.theta} and "
                f"{self.epsilon}; allowed: tau in (0, 0.25], attachment and theta above 0, epsilon at least 0"
            )
        if not 0 < self.scale_step < 1:
            raise CallError(f"scale_step is {self.scale_step}; allowed: between 0 and 1")
        if self.warp not in ("bicubic", "bilinear"):
            raise CallError(f"warp is {self.warp!r}; allowed: 'bicubic', 'bilinear'")


PRESETS = MappingProxyType(
    {
        "paper": TVL1(),  # the defaults of OpenCV's DualTVL1, with the roundings of OpenCV 5 on x86
        "fast": TVL1(
            num_scales=4,
            scale_step=0.5,
            num_warps=3,
            rounds=1,
            round_iterations=20,
            epsilon=0.0,
            warp="bilinear",
            exact_length=False,
        ),
    }
)


def chosen_settings(settings: TVL1 | str) -> TVL1:
    """Those of a preset's name, or the settings themselves."""
    if isinstance(settings, TVL1):
        return settings
    if settings not in PRESETS:
        raise CallError(
            f"TV-L1 preset is {settings!r}; allowed: {', '.join(map(repr, PRESETS))}, or a TVL1(...)"
        )
    return PRESETS[settings]


# The iterations of one warp: in rounds, each after a median, until every pair of the batch is done.

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


# Keeping freed memory, for TV-L1 frees and takes the same few megabytes hundreds of times a second.

_MOST_KEPT = 31 * 2**20  # bytes; glibc looks at freed blocks of up to 32 MiB


@cache
def keep_freed_memory() -> None:
    """Let the process keep up to twice ``_MOST_KEPT`` of freed memory instead of giving it back at once.

    Memory that comes back from the system comes page by page, each with a fault; for the preset ``paper``
    they were a third of its time. glibc gives back what lies free at the end of its heap beyond twice the
    largest block that was ever freed (M_MMAP_THRESHOLD in mallopt(3)), so one such block is freed here. It
    is never written to, so it costs nothing. To other C libraries this says nothing.
    """
    torch.empty(_MOST_KEPT, dtype=torch.uint8)
