"""A whole video, a sample every few frames, in one pass of decoding and in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from attcell.video.decoded import VideoInfo
from attcell.video.modalities import InputSpec, Moments, frames_around
from attcell.video.passes import EveryFrame, Picture
from attcell.video.views import kept_size


class EveryMoment:
    """What all streams need around frame 0, ``every``, 2·``every`` and so on, some samples at a time.

    Iterate it once; then ``info`` tells what the video held. The number of frames is not known before the
    end, and is not needed: samples wait until the frames around them have come. Only frames that a stream
    needs are converted to RGB, and they are forgotten when none does any more.

    Args:
        path: a video file, or a folder of frames.
        spec: which frames around a sample are needed.
        every: frames from one sample to the next.
        at_once: samples that come together.
        frames: which frames of a folder, counted from 0, are the video; all if None.

    Raises:
        VideoError: on iteration, as of :class:`EveryFrame`; from ``info``, nothing decoded.
    """

    def __init__(
        self, path: Path, spec: InputSpec, every: int, at_once: int, frames: range | None = None
    ) -> None:
        self._spec = spec
        self._every = every
        self._at_once = at_once
        self._frames = EveryFrame(path, lambda width, height: kept_size(width, height, spec.frame), frames)

    @property
    def info(self) -> VideoInfo:
        """What was decoded so far: of the whole video once all samples were taken."""
        return self._frames.info

    def __iter__(self) -> Iterator[Moments]:
        longest = max(self._spec.windows, default=1)
        held: dict[int, np.ndarray] = {}
        recent: deque[tuple[int, Picture]] = deque(maxlen=longest)
        following = num_frames = 0  # the first sample that still waits, and the frames that have come
        for index, picture in enumerate(self._frames.pictures()):
            num_frames = index + 1
            recent.append((index, picture))
            if self._is_needed(index):
                held[index] = picture()
            last = following + (self._at_once - 1) * self._every
            if max(last - longest // 2, 0) + longest > num_frames:  # near the beginning windows move inside
                continue
            yield self._moments(held, np.arange(following, last + 1, self._every), num_frames)
            following = last + self._every
            held = {place: image for place, image in held.items() if place >= following - longest // 2}
        held.update((place, picture()) for place, picture in recent if place not in held)
        left = np.arange(following, num_frames, self._every)  # these look further back
        for start in range(0, len(left), self._at_once):
            yield self._moments(held, left[start : start + self._at_once], num_frames)

    def _is_needed(self, index: int) -> bool:
        """Whether a frame is around a sample, as far as can be told before the end is known."""
        around = ((index + length // 2) % self._every < length for length in self._spec.windows)
        return index % self._every == 0 or index < max(self._spec.windows, default=0) or any(around)

    def _moments(self, held: dict[int, np.ndarray], instants: np.ndarray, num_frames: int) -> Moments:
        wanted = frames_around(instants, num_frames, self._spec)
        return Moments(num_frames, instants, {index: held[index] for index in wanted.tolist()})
