"""TV-L1 optical flow (Zach, Pock and Bischof 2007), batched over pairs of pictures.

From a coarse scale to the full one, and at each scale a few times over: the second picture is warped by the
flow found so far, its brightness is made linear around that flow, and the convex problem that is left,

    minimise  Σ |∇u₁| + |∇u₂| + λ |ρ(u)|,    ρ(u) = I₁(x + u⁰) + ⟨∇I₁(x + u⁰), u − u⁰⟩ − I₀(x),

is solved by the fixed point iterations of :mod:`attcell.flow.fixed_point`. As in OpenCV's DualTVL1 the flow
goes through a 5×5 median every few iterations, and a pair is done with a warp once its flow hardly moves.

A last bit that differs becomes another code for every tenth pixel of a still background. So sums are added in
OpenCV's order, and what its resize and remap round once is rounded once here.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Real
from torch import Tensor

from attcell.errors import CallError
from attcell.flow.fixed_point import Linearised, Solution
from attcell.flow.memory import keep_freed_memory
from attcell.flow.pyramid import central_gradient, pyramid_sizes, resized
from attcell.flow.rounds import solved
from attcell.flow.settings import TVL1, chosen_settings
from attcell.flow.warp import warped

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
