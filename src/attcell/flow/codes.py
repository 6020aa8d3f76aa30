"""Flow as pictures: 8-bit codes, stacks of fields, and the three-channel picture of TAN.

All of them take NumPy arrays in the tensors' place, and give arrays then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import torch
from jaxtyping import Float, Real, UInt8
from torch import Tensor

from attcell.choices import QuadraticMean
from attcell.errors import CallError

Function = TypeVar("Function", bound=Callable[..., Any])


def takes_arrays(function: Function) -> Function:
    """The same function, which takes a NumPy array as its first argument too and gives one then.

    It raises a CallError for anything else.
    """

    @functools.wraps(function)
    def taking(values: Any, *more: Any, **named: Any) -> Any:
        if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
            return function(torch.from_numpy(np.ascontiguousarray(values)), *more, **named).numpy()
        if not isinstance(values, Tensor):
            kind = f"an array of {values.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
            raise CallError(f"{function.__name__} takes a tensor or a NumPy array of numbers; this is {kind}")
        return function(values, *more, **named)

    return cast("Function", taking)


@takes_arrays
def quantize(flow: Float[Tensor, "*shape"], bound: float | int = 20.0) -> UInt8[Tensor, "*shape"]:
    """Flow in pixels to codes 0..255: round(255 (clip(v, -bound, bound) + bound) / (2 bound)).

    Half a code is rounded away from zero, as in most tools; no motion is 128.

    Raises:
        CallError: a bound that is not above zero, or flow that is not finite.
    """
    _check_bound(bound)
    if flow.numel() and not torch.stack(flow.aminmax()).isfinite().all():
        raise CallError("flow holds values that are not finite numbers; it cannot become codes")
    scaled = flow.clamp(-bound, bound).add_(bound).mul_(255 / (2 * bound)).add_(0.5)
    return scaled.to(torch.uint8)  # drops what is behind the point, as rounding down does: nothing is below 0


@takes_arrays
def dequantize(codes: UInt8[Tensor, "*shape"], bound: float | int = 20.0) -> Float[Tensor, "*shape"]:
    """Codes 0..255 to flow in pixels, float32; 128 is no motion, exactly.

    Raises:
        CallError: a bound that is not above zero.
    """
    _check_bound(bound)
    return (codes.float() - 128) * (2 * bound / 255)


@takes_arrays
def mirrored_codes(codes: Tensor) -> Tensor:
    """Codes (..., 2, H, W) as seen in a mirror: flipped left to right, and x runs the other way.

    128 stands for no motion, so that x becomes 256 - x; code 0 (the bound itself) becomes 255.
    """
    flipped = codes.flip(-1)
    x = (256 - flipped[..., :1, :, :].int()).clamp(max=255).to(codes.dtype)
    return torch.cat([x, flipped[..., 1:, :, :]], dim=-3)


@takes_arrays
def flow_stack(fields: Real[Tensor, "*T L 2 H W"]) -> Real[Tensor, "*T 2*L H W"]:
    """L consecutive fields as 2·L channels: x of the first, y of the first, x of the second, and so on."""
    return fields.flatten(-4, -3)


@takes_arrays
def flow_picture(
    codes: UInt8[Tensor, "*T 2 H W"], quadratic_mean: QuadraticMean = "motion"
) -> UInt8[Tensor, "*T 3 H W"]:
    """One field as TAN's picture: the codes of x, of y and of their quadratic mean √((x² + y²) / 2).

    Args:
        codes: of x and y.
        quadratic_mean: *reading*: of the ``motion``, on the same linear scale as x and y, so that the mean,
            which is never negative, lies in 128..255; or of the ``codes`` themselves, the two 8-bit pictures.
            Either way no motion is 128.
    """
    zero = 128 if quadratic_mean == "motion" else 0
    mean = ((codes.float() - zero).square().sum(dim=-3, keepdim=True) / 2).sqrt() + zero
    return torch.cat([codes, (mean + 0.5).floor().clamp(max=255).to(torch.uint8)], dim=-3)


def _check_bound(bound: float | int) -> None:
    if not bound > 0:
        raise CallError(f"bound is {bound}; allowed: a number of pixels above 0 (20 is usual)")
