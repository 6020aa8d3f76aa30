"""A video's planned views in parts of consecutive segments, in one pass of decoding and in bounded memory."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from attcell.video._passes import EveryFrame, Picture
from attcell.video.decode import WantedFrames
from attcell.video.info import Times, VideoInfo
from attcell.video.input_spec import InputSpec
from attcell.video.inputs import ResizedFrames, SampledFrames, frames_around, refuse_damage, resize_frames
from attcell.video.modalities import modality
from attcell.video.readers import Origin, Reader, window_span
from attcell.video.sampling import ViewPlan
from attcell.video.transforms import kept_size

FRAMES_AT_ONCE = 128  # decoded frames of one part of a video
BYTES_AT_ONCE = 16 * 2**20  # of one part's views


@dataclass(frozen=True, eq=False)
class ViewPart:
    """What a plan sees of t consecutive segments.

    Attributes:
        start: index of the first of these segments. A part with ``start`` 0 is the first one; when another
            one with ``start`` 0 follows, the file turned out to have another number of frames than it
            promised, or to be damaged: all parts before it are void, and the video begins again.
        sampled_frames: the decoded frames around the segments' frame indices.
        resized_frames: the same as views are cut from them, with their flow.
        views: stream -> (V, t, ...) uint8: V crops, or positions and then their mirror images.
        is_last: no more comes, and all that came since ``start`` was 0 counts.
    """

    start: int
    sampled_frames: SampledFrames
    resized_frames: ResizedFrames
    views: dict[str, Tensor]
    is_last: bool

    @property
    def frame_indices(self) -> np.ndarray:
        """(t,) int64, the frame that stands for each segment; all of one position, then of the next."""
        return self.sampled_frames.frame_indices


class ViewParts:
    """The views of one video part by part; after the last part ``info`` tells what the video held.

    Iterate it once. However many segments the plan wants, the decoded frames and the views of about one part
    are held: at most ``frames_at_once`` frames, or those of one segment, and some that the next part sees
    too. A video whose frames fit into one part gives just that, and never begins again.

    Args:
        path: a video file, or a folder of frames.
        spec: what each stream gets.
        plan: which segments and crops.
        frames: which frames of a folder, counted from 0, are the video; all if None.
        device: where flow is computed.
        frames_at_once: how many decoded frames a part may need.

    Raises:
        VideoError: on iteration, the file cannot be read, has too few frames for the plan, or its flow on
            disk is not its own. This may come after some parts: they are void.
    """

    def __init__(
        self,
        path: Path,
        spec: InputSpec,
        plan: ViewPlan,
        frames: range | None = None,
        *,
        device: str = "cpu",
        frames_at_once: int = FRAMES_AT_ONCE,
    ) -> None:
        self._path = path
        self._origin = Origin(path, frames, device)
        self._spec = spec
        self._plan = plan
        self._at_once = _segments_at_once(spec, plan, frames_at_once)
        self._parts: list[_Part] = []
        self._notes: tuple[str, ...] = ()
        self._frames = WantedFrames(
            path,
            self._wanted,
            size=lambda shown: kept_size(shown, spec.frame),
            frames=frames,
            row_seconds=spec.features.row_seconds,
        )

    def __iter__(self) -> Iterator[ViewPart]:
        readers = self._spec.readers(self._origin)
        held: dict[int, np.ndarray] = {}
        following = 0  # the part that still waits for frames
        for found in self._frames:
            if found is None:
                held, following = {}, 0
                continue
            index, image, times = found
            held[index] = image
            while following < len(self._parts) - 1 and index >= self._parts[following].wanted[-1]:
                yield self._views(self._parts[following], held, times, readers)
                following += 1
                first = self._parts[following].wanted[0]
                held = {place: image for place, image in held.items() if place >= first}
        info = self._frames.info
        refuse_damage(self._path, info, self._spec)
        last = self._parts[-1]  # only now it is certain that it is the last
        yield self._views(last, held, lambda indices: info.frame_seconds[indices], readers)

    @property
    def info(self) -> VideoInfo:
        """What the video held, once all parts were taken."""
        info = self._frames.info
        return replace(info, notes=(*info.notes, *self._notes))

    def _wanted(self, num_frames: int) -> np.ndarray:
        """The frames of all parts of a video of so many; asked again if it turns out to have others."""
        indices = self._plan.frame_indices(num_frames).reshape(self._plan.num_positions, -1)
        num_segments = indices.shape[1]
        num_parts = -(-num_segments // self._at_once)
        edges = [num_segments * number // num_parts for number in range(num_parts + 1)]
        self._parts = []
        for start, end in itertools.pairwise(edges):
            frame_indices = indices[:, start:end].ravel()
            wanted = frames_around(frame_indices, num_frames, self._spec)
            self._parts.append(_Part(start, num_frames, frame_indices, wanted))
        return np.unique(np.concatenate([part.wanted for part in self._parts]))

    def _views(
        self, part: _Part, held: Mapping[int, np.ndarray], times: Times, readers: Mapping[str, Reader]
    ) -> ViewPart:
        spec, plan = self._spec, self._plan
        images = {index: held[index] for index in part.wanted.tolist()}
        seconds = times(part.frame_indices)
        sampled_frames = SampledFrames(part.num_frames, part.frame_indices, seconds, images)
        size = plan.resized_size(sampled_frames.size, spec.frame)
        resized_frames = resize_frames(sampled_frames, spec, size, readers)
        self._notes = resized_frames.notes
        seen = [resized_frames.view(crop) for crop in plan.crops(size, spec.frame)]
        views = {
            name: torch.cat([view[name].unflatten(0, (plan.num_positions, -1)) for view in seen])
            for name in spec.streams
        }
        is_last = part is self._parts[-1]
        return ViewPart(part.start, sampled_frames, resized_frames, views, is_last)


@dataclass(frozen=True, eq=False)
class _Part:
    """Which frames a part of a video of ``num_frames`` frames looks at, and which it needs around them."""

    start: int
    num_frames: int
    frame_indices: np.ndarray
    wanted: np.ndarray


def _segments_at_once(spec: InputSpec, plan: ViewPlan, frames_at_once: int) -> int:
    """How many segments' frames and views are held together; at least one."""
    longest = max((length for length, _ in spec.windows), default=1)
    values = 0  # of one view of one segment
    for entry in map(modality, spec.streams):
        length = entry.window(spec) if entry.takes == "clip" else 1
        values += entry.channels(spec) * length * math.prod(entry.shape(spec))
    by_frames = frames_at_once // (plan.num_positions * longest)
    by_views = BYTES_AT_ONCE // (plan.num_views * values)
    return max(1, min(by_frames, by_views))


# A whole video, a sample every few frames, in one pass of decoding and in constant memory.


class FrameSource(Protocol):
    """Frames one after another, as :class:`EveryFrame` gives them."""

    def pictures(self) -> Iterator[Picture]:
        """Each frame, to be called where it is needed."""

    def times(self, frame_indices: np.ndarray) -> np.ndarray:
        """(n,) seconds of frames that have come."""

    @property
    def info(self) -> VideoInfo:
        """What has come so far."""


class DenseSampling:
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
        source: where the frames come from, in place of the file.

    Raises:
        VideoError: on iteration, as of :class:`EveryFrame`; from ``info``, nothing decoded.
    """

    def __init__(
        self,
        path: Path,
        spec: InputSpec,
        every: int,
        at_once: int,
        frames: range | None = None,
        *,
        source: FrameSource | None = None,
    ) -> None:
        self._spec = spec
        self._every = every
        self._at_once = at_once
        self._frames = source or EveryFrame(
            path, lambda shown: kept_size(shown, spec.frame), frames, spec.features.row_seconds
        )

    @property
    def info(self) -> VideoInfo:
        """What was decoded so far: of the whole video once all samples were taken."""
        return self._frames.info

    def __iter__(self) -> Iterator[SampledFrames]:
        longest = self._spec.longest_span
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
            yield self._sampled_frames(held, np.arange(following, last + 1, self._every), num_frames)
            following = last + self._every
            held = {place: image for place, image in held.items() if place >= following - longest // 2}
        held.update((place, picture()) for place, picture in recent if place not in held)
        left = np.arange(following, num_frames, self._every)  # these look further back
        for start in range(0, len(left), self._at_once):
            yield self._sampled_frames(held, left[start : start + self._at_once], num_frames)

    def _is_needed(self, index: int) -> bool:
        """Whether a frame is around a sample, as far as can be told before the end is known."""
        if index % self._every == 0 or index < self._spec.longest_span:  # at first windows move inside
            return True
        spans = [(window_span(*of), *of) for of in self._spec.windows]
        return any(self._is_inside(index + span // 2, length, stride) for span, length, stride in spans)

    def _is_inside(self, place: int, length: int, stride: int) -> bool:
        """Whether a frame is one of a sample's, ``place`` frames behind the first of sample 0's."""
        phases = {stride * number % self._every for number in range(min(length, self._every))}
        return place % self._every in phases

    def _sampled_frames(
        self, held: dict[int, np.ndarray], frame_indices: np.ndarray, num_frames: int
    ) -> SampledFrames:
        wanted = frames_around(frame_indices, num_frames, self._spec)
        images = {index: held[index] for index in wanted.tolist()}
        return SampledFrames(num_frames, frame_indices, self._frames.times(frame_indices), images)
