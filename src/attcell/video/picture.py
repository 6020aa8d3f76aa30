"""A decoded frame as the picture that is to be shown: RGB, rotated and mirrored as the file asks."""

from __future__ import annotations

from typing import Any

import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter


def to_rgb(frame: VideoFrame, size: tuple[int, int], reformatter: VideoReformatter) -> np.ndarray:
    """The frame as it is to be shown, (H, W, 3) uint8, brought to ``size`` (width, height)."""
    orientation = _orientation(frame)
    width, height = size[::-1] if _is_transposed(orientation) else size
    image = reformatter.reformat(frame, width, height, "rgb24").to_ndarray()
    if _is_transposed(orientation):
        image = image.transpose(1, 0, 2)
    # The shown picture's x grows with the stored x (a) or y (c), its y with b or d; a minus runs backwards.
    a, b, c, d = orientation
    image = image[:: -1 if b + d < 0 else 1, :: -1 if a + c < 0 else 1]
    return np.ascontiguousarray(image)


def shown_size(frame: VideoFrame) -> tuple[int, int]:
    """Width and height of the frame as it is to be shown."""
    size = (frame.width, frame.height)
    return size[::-1] if _is_transposed(_orientation(frame)) else size


def _orientation(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Signs a, b, c, d of the file's display matrix: shown x = a·x + c·y, shown y = b·x + d·y."""
    side_data: Any = frame.side_data  # PyAV's type stub names other keys than the ones it takes
    stored = side_data.get(SideDataType.DISPLAYMATRIX)
    if stored is None:
        return (1, 0, 0, 1)
    a, b, c, d = np.frombuffer(bytes(stored), dtype=np.int32)[[0, 1, 3, 4]].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return (0, _sign(b), _sign(c), 0)
    return (_sign(a), 0, 0, _sign(d))


def _sign(value: int) -> int:
    return -1 if value < 0 else 1


def _is_transposed(orientation: tuple[int, int, int, int]) -> bool:
    return orientation[0] == 0
