"""From frames to optical flow, field by field: grey pictures, a method, constant memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from attcell.errors import CallError
from attcell.flow import PRESETS, tvl1

METHODS = ("paper", "fast", "dis")
Method = Callable[[Tensor, Tensor], Tensor]  # grey (B, H, W) uint8 twice -> (B, 2, H, W) float32, in pixels
PAIRS_AT_ONCE = {"cpu": 16, "cuda": 128}


def flow_method(name: str, device: torch.device | str = "cpu", *, compiled: bool = False) -> Method:
    """A way to compute flow: TV-L1 as in the papers, TV-L1 with the fast schedule, or OpenCV's DIS.

    Args:
        name: one of ``METHODS``.
        device: where TV-L1 runs. DIS runs on the CPU.
        compiled: compile TV-L1's inner loop.

    Raises:
        CallError: an unknown method, or DIS without OpenCV.
    """
    if name == "dis":
        return _dis()
    if name not in PRESETS:
        raise CallError(f"flow method is {name!r}; allowed: {', '.join(METHODS)}")

    def method(previous: Tensor, following: Tensor) -> Tensor:
        return tvl1(previous.to(device), following.to(device), PRESETS[name], compiled=compiled).cpu()

    return method


def flow_fields(frames: Iterable[np.ndarray], method: Method, pairs_at_once: int = 16) -> Iterator[Tensor]:
    """The flow from each frame to the next: one field (2, H, W) fewer than there are frames.

    Args:
        frames: RGB (H, W, 3) uint8, all of one size.
        method: of :func:`flow_method`.
        pairs_at_once: how many pairs the method gets in one call.
    """
    kept: list[Tensor] = []
    frames = iter(frames)
    while batch := [grey(frame) for frame in itertools.islice(frames, pairs_at_once)]:
        kept = kept[-1:] + batch
        if len(kept) > 1:
            pictures = torch.stack(kept)
            yield from method(pictures[:-1], pictures[1:])


def grey(image: np.ndarray) -> Tensor:
    """RGB (H, W, 3) uint8 -> (H, W) uint8 by BT.601's weights, as OpenCV and most flow tools do it."""
    weighted = torch.from_numpy(image).float() @ torch.tensor([0.299, 0.587, 0.114])
    return weighted.round().to(torch.uint8)


def _dis() -> Method:
    try:
        import cv2
    except ImportError as error:
        raise CallError("DIS flow needs OpenCV; install it with: pip install 'attcell[opencv]'") from error
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def method(previous: Tensor, following: Tensor) -> Tensor:
        fields = [
            finder.calc(first.numpy(), second.numpy(), np.zeros((*first.shape, 2), np.float32))
            for first, second in zip(previous, following, strict=True)
        ]
        return torch.from_numpy(np.stack(fields)).permute(0, 3, 1, 2)

    return method
