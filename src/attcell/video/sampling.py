"""T even segments of a video, and the frame that stands for each.

*Reading*: segments are even **by frame index**, not by time: segment t of T covers the frame indices
[t·N/T, (t+1)·N/T) of a video of N frames. With a constant frame rate the two are the same.

A video of fewer frames than segments is handled by a named policy:

- ``"repeat"``: the segments stay even, so neighbours show the same frame;
- ``"refuse"``: a VideoError.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from attcell.choices import ShortVideos
from attcell.errors import CallError, VideoError
from attcell.types import Size
from attcell.video.info import VideoInfo
from attcell.video.transforms import (
    Crop,
    FrameSpec,
    centre_crop,
    centre_size,
    crop_source_size,
    ten_crops,
)


def segment_edges(num_frames: int, num_segments: int) -> np.ndarray:
    """Edges of the segments in frame indices, (T + 1,) float64 from 0 to ``num_frames``."""
    if num_segments < 1:
        raise CallError(f"num_segments is {num_segments}; at least 1 segment is needed")
    if num_frames < 1:
        raise VideoError(f"the video has {num_frames} frames; at least 1 is needed")
    return np.arange(num_segments + 1) * num_frames / num_segments


def fixed_frames(
    num_frames: int, num_segments: int, position: float, short: ShortVideos = "repeat"
) -> np.ndarray:
    """The frame at ``position`` of every segment, from 0 (its start) up to but not 1 (its end): (T,) int64.

    Raises:
        VideoError: fewer frames than segments under ``short="refuse"``.
        CallError: ``position`` or ``short`` is not one of those allowed.
    """
    if not 0 <= position < 1:
        raise CallError(f"position is {position}; allowed: from 0 up to but not including 1")
    return _frames_at(num_frames, num_segments, np.full(max(num_segments, 0), position), short)


def centre_frames(num_frames: int, num_segments: int, short: ShortVideos = "repeat") -> np.ndarray:
    """The frame in the middle of every segment, (T,) int64; errors as in ``fixed_frames``."""
    return fixed_frames(num_frames, num_segments, 0.5, short)


def random_frames(
    num_frames: int, num_segments: int, rng: np.random.Generator, short: ShortVideos = "repeat"
) -> np.ndarray:
    """One frame drawn evenly from each segment, (T,) int64; errors as in ``fixed_frames``."""
    return _frames_at(num_frames, num_segments, rng.random(max(num_segments, 0)), short)


def segment_seconds(info: VideoInfo, num_segments: int) -> np.ndarray:
    """Start and end of every segment in the video's own time, (T, 2) float64.

    Segments touch: the first starts with the first frame, the last ends with the last frame. An edge between
    two frames' starts is placed in proportion, so a segment shorter than a frame has a length too.
    """
    edges = segment_edges(info.num_frames, num_segments)
    starts = np.append(info.frame_seconds, info.end_seconds)
    seconds = np.interp(edges, np.arange(info.num_frames + 1), starts)
    return np.stack([seconds[:-1], seconds[1:]], axis=1)


def _frames_at(num_frames: int, num_segments: int, positions: np.ndarray, short: ShortVideos) -> np.ndarray:
    if short not in ("repeat", "refuse"):
        raise CallError(f"short is {short!r}; allowed: 'repeat', 'refuse'")
    edges = segment_edges(num_frames, num_segments)
    if num_frames < num_segments and short == "refuse":
        raise VideoError(
            f"the video has {num_frames} frames, fewer than the {num_segments} segments asked for; "
            "ask for fewer segments, or let frames repeat (short='repeat')"
        )
    indices = np.floor(edges[:-1] + positions * np.diff(edges)).astype(np.int64)
    return np.minimum(indices, num_frames - 1)


@dataclass(frozen=True)
class ViewPlan:
    """Which fixed views of a video are looked at: at test, or to keep their features for training.

    Attributes:
        num_segments: T.
        every: one segment every so many frames, instead of T of them; None for T.
        short: what happens to a video with fewer frames than T.
        num_crops: 1 (centre), 5 (corners and centre) or 10 (their mirror images, too, in the same order).
        num_positions: frames of each segment, evenly spaced; 1 is the centre frame.
        mirrored: take the mirror images of all positions too.
    """

    num_segments: int
    every: int | None = None
    short: ShortVideos = "repeat"
    num_crops: Literal[1, 5, 10] = 1
    num_positions: int = 1
    mirrored: bool = False

    def segments_of(self, num_frames: int) -> int:
        """T for a video of N frames. *Reading* of one every n frames: N / n, rounded, and at least 1."""
        return self.num_segments if self.every is None else max(1, round(num_frames / self.every))

    @property
    def num_views(self) -> int:
        """V: crops, or positions and then their mirror images."""
        crops = 2 if self.num_crops == 1 and self.mirrored else self.num_crops
        return self.num_positions * crops

    @property
    def first_mirrored(self) -> int:
        """The first of the views that are mirror images; V where none is."""
        has_mirrored = self.num_crops == 10 or (self.num_crops == 1 and self.mirrored)
        return self.num_views // 2 if has_mirrored else self.num_views

    def frame_indices(self, num_frames: int) -> np.ndarray:
        """The frames that are looked at, position by position: (P * T,) int64."""
        num_segments = self.segments_of(num_frames)
        places = [(number + 0.5) / self.num_positions for number in range(self.num_positions)]
        return np.concatenate([fixed_frames(num_frames, num_segments, place, self.short) for place in places])

    def resized_size(self, shown: Size, spec: FrameSpec) -> Size:
        """The size that frames of the size ``shown`` get before they are cropped."""
        return centre_size(shown, spec) if self.num_crops == 1 else crop_source_size(shown, spec)

    def crops(self, size: Size, spec: FrameSpec) -> list[Crop]:
        """What is cut from them."""
        if self.num_crops != 1:
            return ten_crops(size, spec)[: self.num_crops]
        centre = centre_crop(size, spec)
        return [centre, replace(centre, mirrored=True)] if self.mirrored else [centre]
