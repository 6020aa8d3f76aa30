"""Two pictures as people have them: the flow between them, and whether it is good.

A picture is grey or RGB, from 0 to 255: a NumPy array (H, W) or (H, W, 3), as Pillow gives it, or a tensor
(H, W) or (3, H, W), as torchvision gives it. For batches of grey pictures there is
:func:`attcell.flow.tvl1`, which is quicker.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from attcell.errors import CallError
from attcell.flow._settings import TVL1
from attcell.flow._tvl1 import check_kinds, tvl1

if TYPE_CHECKING:
    from torch import Tensor

Picture = TypeVar("Picture", "Tensor", np.ndarray)


def flow_between(
    previous: Picture, following: Picture, settings: TVL1 | Literal["paper", "fast", "fine"] = "fast"
) -> Picture:
    """TV-L1 flow from one picture to another.

    Args:
        previous: a grey or RGB picture, 0 to 255.
        following: the same shape and kind.
        settings: a preset's name, or settings of your own.

    Returns:
        (2, H, W), of the same kind, float32 (of tensors of float64 float64): x and y of the motion of each
        pixel, in pixels. What lies at a pixel of the previous picture lies at that pixel plus its flow in the
        following one.

    Raises:
        CallError: no picture, two that differ in shape or kind, numbers from 0 to 1, far above 255 or not
            finite, an unknown preset.
    """
    _check_pictures(previous, following)
    return tvl1(grey_levels(previous)[None], grey_levels(following)[None], settings)[0]


def grey_levels(picture: Picture) -> Picture:
    """A picture's brightness (H, W), 0 to 255, of the same kind; a colour picture's as uint8, by BT.601.

    Raises:
        CallError: no picture.
    """
    if _num_colours(picture) == 1:
        return picture
    if not isinstance(picture, np.ndarray):
        return grey(picture)
    red, green, blue = np.moveaxis(picture.astype(np.float32), -1, 0)
    return np.rint(_brightness(red, green, blue)).clip(0, 255).astype(np.uint8)


def grey(pictures: Tensor) -> Tensor:
    """RGB (..., 3, H, W), 0 to 255, to (..., H, W) uint8 by BT.601's weights, as OpenCV and most flow tools
    do it.
    """
    return _brightness(*pictures.float().unbind(-3)).round().clamp(0, 255).byte()


def _brightness(red: Picture, green: Picture, blue: Picture) -> Picture:
    return 0.299 * red + 0.587 * green + 0.114 * blue


def warped(picture: Picture, flow: Picture) -> Picture:
    """The following picture drawn back by the flow, so that it looks as the previous one where flow is right.

    Args:
        picture: the following picture, grey or RGB.
        flow: (2, H, W), as :func:`flow_between` gives it.

    Returns:
        Its shape in float32, bilinear; NaN where the flow leads out of the picture.

    Raises:
        CallError: no picture, or flow of another shape or kind.
    """
    import torch

    _check_flow(picture, flow)
    if isinstance(picture, np.ndarray):
        planes, field = (torch.from_numpy(np.array(given, np.float32)) for given in (picture, flow))
        seen = warped(planes if planes.ndim == 2 else planes.movedim(-1, 0), field)
        return (seen if seen.ndim == 2 else seen.movedim(0, -1)).numpy()
    height, width = flow.shape[-2:]
    flow = flow.float()
    x = torch.arange(width, device=flow.device) + flow[0]
    y = torch.arange(height, device=flow.device)[:, None] + flow[1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], dim=-1)
    planes = picture.float().reshape(1, -1, height, width)
    seen = torch.nn.functional.grid_sample(planes, grid[None], padding_mode="border", align_corners=True)
    return seen.masked_fill(~inside, torch.nan).reshape(picture.shape)


def brightness_error(previous: Picture, following: Picture, flow: Picture | None = None) -> float:
    """How much brightness differs, in grey levels, once the following picture is drawn back by the flow.

    Where flow is right, little is left but noise. Where things move and the figure is not far below that
    without flow, flow is wrong, or the light changed. Of even surfaces it says nothing: any flow fits them.

    Args:
        previous: a grey or RGB picture, 0 to 255.
        following: the same shape and kind.
        flow: (2, H, W); None for none.

    Returns:
        The mean of |difference| over the pixels whose flow stays in the picture; NaN if there is none.

    Raises:
        CallError: as of :func:`flow_between`, or flow of another shape or kind.
    """
    _check_pictures(previous, following)
    first, second = grey_levels(previous), grey_levels(following)
    seen = second if flow is None else warped(second, flow)
    difference = abs(_on_host(seen) - _on_host(first))
    known = difference[~np.isnan(difference)]
    return float(known.mean()) if known.size else float("nan")


def _on_host(picture: Tensor | np.ndarray) -> np.ndarray:
    return np.asarray(
        picture if isinstance(picture, np.ndarray) else picture.detach().cpu().float().numpy(), np.float32
    )


_ALLOWED = (
    "allowed: NumPy arrays (H, W) or (H, W, 3), or tensors (H, W) or (3, H, W); for batches of grey pictures "
    "there is attcell.flow.tvl1"
)


def _num_colours(picture: Tensor | np.ndarray) -> int:
    colours = -1 if isinstance(picture, np.ndarray) else 0  # which axis
    if picture.ndim == 2:
        return 1
    if picture.ndim == 3 and picture.shape[colours] == 3:
        return 3
    raise CallError(f"a picture has the shape {tuple(picture.shape)}; {_ALLOWED}")


_FAR_ABOVE = 512  # resizing may pass 255 by a little


def _check_pictures(previous: Tensor | np.ndarray, following: Tensor | np.ndarray) -> None:
    check_kinds(previous, following)
    if previous.shape != following.shape:
        raise CallError(
            f"pictures have the shapes {tuple(previous.shape)} and {tuple(following.shape)}; allowed: two of "
            "one shape"
        )
    for picture in (previous, following):
        _num_colours(picture)
    if 0 in previous.shape:
        raise CallError(f"pictures have shape {tuple(previous.shape)}; a picture needs at least one pixel")
    highest = max(float(picture.max()) for picture in (previous, following))
    lowest = min(float(picture.min()) for picture in (previous, following))
    if not math.isfinite(highest - lowest):
        raise CallError("a picture holds NaN or an infinite number; allowed: finite numbers, 0 to 255")
    # Pictures from 0 to 1 would seem not to move: TV-L1 weighs brightness against smoothness.
    is_small = 0 < highest <= 1 and not all("int" in str(of.dtype) for of in (previous, following))
    if is_small or highest >= _FAR_ABOVE:
        raise CallError(
            f"the pictures' largest number is {highest:.6g}; allowed: 0 to 255. Multiply pictures from 0 to "
            "1 by 255, and divide those of 16 bits by 257"
        )


def _check_flow(picture: Tensor | np.ndarray, flow: Tensor | np.ndarray) -> None:
    check_kinds(picture, flow)
    is_last = _num_colours(picture) == 3 and isinstance(picture, np.ndarray)
    height, width = picture.shape[:2] if is_last else picture.shape[-2:]
    if tuple(flow.shape) != (2, height, width):
        raise CallError(
            f"flow has the shape {tuple(flow.shape)}; of a picture of {width}×{height} it has "
            f"(2, {height}, {width})"
        )
