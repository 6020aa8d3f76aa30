"""T even segments of a video, and the frame that stands for each.

*Reading*: segments are even **by frame index**, not by time: segment t of T covers the frame indices
[t·N/T, (t+1)·N/T) of a video of N frames. With a constant frame rate the two are the same.

A video of fewer frames than segments is handled by a named policy:

- ``"repeat"``: the segments stay even, so neighbours show the same frame;
- ``"refuse"``: a VideoError.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from attcell.errors import CallError, VideoError
from attcell.video.decode import VideoInfo

ShortPolicy = Literal["repeat", "refuse"]


def segment_edges(num_frames: int, num_segments: int) -> np.ndarray:
    """Edges of the segments in frame indices, (T + 1,) float64 from 0 to ``num_frames``."""
    if num_segments < 1:
        raise CallError(f"num_segments is {num_segments}; at least 1 segment is needed")
    if num_frames < 1:
        raise VideoError(f"the video has {num_frames} frames; at least 1 is needed")
    return np.arange(num_segments + 1) * num_frames / num_segments


def fixed_frames(
    num_frames: int, num_segments: int, position: float, short: ShortPolicy = "repeat"
) -> np.ndarray:
    """The frame at ``position`` of every segment, from 0 (its start) up to but not 1 (its end): (T,) int64.

    Raises:
        VideoError: fewer frames than segments under ``short="refuse"``.
        CallError: ``position`` or ``short`` is not one of those allowed.
    """
    if not 0 <= position < 1:
        raise CallError(f"position is {position}; allowed: from 0 up to but not including 1")
    return _frames_at(num_frames, num_segments, np.full(max(num_segments, 0), position), short)


def centre_frames(num_frames: int, num_segments: int, short: ShortPolicy = "repeat") -> np.ndarray:
    """The frame in the middle of every segment, (T,) int64; errors as in ``fixed_frames``."""
    return fixed_frames(num_frames, num_segments, 0.5, short)


def random_frames(
    num_frames: int, num_segments: int, rng: np.random.Generator, short: ShortPolicy = "repeat"
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


def _frames_at(num_frames: int, num_segments: int, positions: np.ndarray, short: ShortPolicy) -> np.ndarray:
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
