"""Two pictures as people have them: the flow between them, and whether it is good.

A picture is grey or RGB, from 0 to 255: a NumPy array (H, W) or (H, W, 3), as Pillow gives it, or a tensor
(H, W) or (3, H, W), as torchvision gives it. For batches of grey pictures there is
:func:`attcell.flow.tvl1`, which is quicker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from attcell.errors import CallError
from attcell.flow._settings import TVL1
from attcell.flow._tvl1 import tvl1

if TYPE_CHECKING:
    from torch import Tensor

Picture = TypeVar("Picture", "Tensor", np.ndarray)


def flow_between(
    previous: Picture, following: Picture, settings: TVL1 | Literal["paper", "fast", "fine"] = "paper"
) -> Picture:
    """TV-L1 flow from one picture to another.

    Args:
        previous: a grey or RGB picture, 0 to 255.
        following: the same shape and kind.
        settings: a preset's name, or settings of your own.

    Returns:
        (2, H, W) float32, of the same kind: x and y of the motion of each pixel, in pixels. What lies at a
        pixel of the previous picture lies at that pixel plus its flow in the following one.

    Raises:
        CallError: no picture, two that differ in shape or kind, numbers from 0 to 1 or not finite, an unknown
            preset.
    """
    _check_alike(previous, following)
    first, second = grey_levels(previous), grey_levels(following)
    _refuse_small_numbers(first, second)
    return tvl1(first[None], second[None], settings)[0]


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
    return np.rint(_brightness(red, green, blue)).astype(np.uint8)


def grey(pictures: Tensor) -> Tensor:
    """RGB (..., 3, H, W), 0 to 255, to (..., H, W) uint8 by BT.601's weights, as OpenCV and most flow tools
    do it.
    """
    return _brightness(*pictures.float().unbind(-3)).round().byte()


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
        planes = torch.from_numpy(np.ascontiguousarray(picture))
        planes = planes if planes.ndim == 2 else planes.movedim(-1, 0)
        seen = warped(planes, torch.from_numpy(np.ascontiguousarray(flow)))
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
        CallError: no picture, two that differ in shape or kind, or flow of another shape or kind.
    """
    _check_alike(previous, following)
    first, second = grey_levels(previous), grey_levels(following)
    seen = second if flow is None else warped(second, flow)
    difference = abs(np.asarray(_on_host(seen), np.float32) - np.asarray(_on_host(first), np.float32))
    known = difference[~np.isnan(difference)]
    return float(known.mean()) if known.size else float("nan")


def _on_host(picture: Tensor | np.ndarray) -> Tensor | np.ndarray:
    return picture if isinstance(picture, np.ndarray) else picture.detach().cpu()


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


def _check_alike(previous: Tensor | np.ndarray, following: Tensor | np.ndarray) -> None:
    if isinstance(previous, np.ndarray) != isinstance(following, np.ndarray):
        raise CallError("one picture is a NumPy array and the other a tensor; allowed: two of a kind")
    if previous.shape != following.shape:
        raise CallError(
            f"pictures have the shapes {tuple(previous.shape)} and {tuple(following.shape)}; allowed: two of "
            "one shape"
        )
    for picture in (previous, following):
        _num_colours(picture)


def _check_flow(picture: Tensor | np.ndarray, flow: Tensor | np.ndarray) -> None:
    if isinstance(picture, np.ndarray) != isinstance(flow, np.ndarray):
        raise CallError("picture and flow are a NumPy array and a tensor; allowed: two of a kind")
    is_last = _num_colours(picture) == 3 and isinstance(picture, np.ndarray)
    height, width = picture.shape[:2] if is_last else picture.shape[-2:]
    if tuple(flow.shape) != (2, height, width):
        raise CallError(
            f"flow has the shape {tuple(flow.shape)}; of a picture of {width}×{height} it has "
            f"(2, {height}, {width})"
        )


def _refuse_small_numbers(*pictures: Tensor | np.ndarray) -> None:
    """Pictures from 0 to 1 would seem not to move: TV-L1 weighs brightness against smoothness."""
    if all("int" in str(picture.dtype) for picture in pictures):
        return
    highest = max((float(picture.max()) for picture in pictures if 0 not in picture.shape), default=0.0)
    if 0 < highest <= 1:
        raise CallError(
            f"the pictures' largest number is {highest:.3g}; allowed: 0 to 255. Multiply pictures from 0 to "
            "1 by 255"
        )
