"""What the reader of a stream's input gets and gives: frames around frame indices, and whole pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class Origin:
    """The video that a reader is opened for.

    Attributes:
        path: a video file, or a folder of frames; None where it has no place on disk.
        frames: the part of a folder of frames that is the video; all of it if None.
        device: where readers that compute do so.
    """

    path: Path | None = None
    frames: range | None = None
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class FramesAround:
    """The resized frames around n frame indices of a video: what a reader gets.

    Attributes:
        num_frames: of the video; frames around a frame index are moved inside it.
        frame_indices: (n,) int64, from 0.
        places: (N,) int64, which frames of the video the pictures are, in rising order.
        pictures: (N, 3, H, W) uint8.
        seconds: (n,) when the frames of the frame indices are shown; None where nobody knows.
    """

    num_frames: int
    frame_indices: np.ndarray
    places: np.ndarray
    pictures: Tensor
    seconds: np.ndarray | None = None

    def window(self, length: int, stride: int = 1) -> np.ndarray:
        """(n, length) indices of the frames around each frame index, ``stride`` frames apart."""
        return window(self.frame_indices, self.num_frames, length, stride)

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """The rows of ``pictures`` that hold the frames of these indices, in the same shape."""
        return np.searchsorted(self.places, indices)


@dataclass(frozen=True, eq=False)
class Sheet:
    """Whole pictures of one modality, and which of them each frame index gets: what a reader gives.

    Attributes:
        pictures: (P, C, H, W), of the size of the resized frames; of features (P, C, 1, 1); of sound
            (P, C, F, M), rows of time and columns of frequency.
        rows: (n, L) int64.
        notes: what the reader has to say of the video so far, such as that a part of it is missing.
    """

    pictures: Tensor
    rows: Tensor
    notes: tuple[str, ...] = ()


Reader = Callable[[FramesAround], Sheet]


def window(frame_indices: np.ndarray, num_frames: int, length: int, stride: int = 1) -> np.ndarray:
    """``length`` frames around each frame index, ``stride`` frames apart, inside the video: (n,) to
    (n, length) int64."""
    span = window_span(length, stride)
    start = np.clip(frame_indices - span // 2, 0, max(0, num_frames - span))
    return np.minimum(start[:, None] + stride * np.arange(length), num_frames - 1)


def window_span(length: int, stride: int) -> int:
    """How many frames lie from the first to the last of a window, both counted."""
    return (length - 1) * stride + 1
