"""From a video to the input of each stream: one pass of decoding serves all modalities of a segment.

A segment is seen at one instant, a frame. The *frame* stream gets this frame, the *flow* stream the fields
between the frames around it, the *clip* stream the frames around it. Near the ends of a video the frames
around an instant are moved inside; a video of fewer frames repeats its last one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from attcell.errors import VideoError
from attcell.flow import dequantize, flow_picture, flow_stack, mirrored_codes
from attcell.types import Size
from attcell.video._passes import EveryFrame, Picture
from attcell.video.decode import read_frames
from attcell.video.flow_source import FlowSource, FlowSpec, source_of
from attcell.video.info import VideoInfo
from attcell.video.transforms import Crop, FrameSpec, kept_size, resized

STREAMS = ("frame", "flow", "clip")


@dataclass(frozen=True)
class InputSpec:
    """What each stream gets of a segment.

    Attributes:
        streams: which of ``STREAMS``.
        frame: how frames are resized and cropped, for all streams alike.
        flow: for the flow stream.
        clip_frames: L, for the clip stream.
    """

    streams: tuple[str, ...] = ("frame",)
    frame: FrameSpec = field(default_factory=FrameSpec)
    flow: FlowSpec = field(default_factory=FlowSpec)
    clip_frames: int = 16

    def only(self, streams: Sequence[str]) -> InputSpec:
        """The same, for some of the streams."""
        return replace(self, streams=tuple(streams))

    def computing_flow(self) -> InputSpec:
        """The same, with flow from the frames instead of from a store, for a video that is in none."""
        return replace(self, flow=replace(self.flow, store=None))

    def flow_of(self, video: Path, frames: range | None = None, *, compiled: bool = False) -> FlowSource:
        """Where the flow of a video, or of a part of a folder of frames, comes from. Without a flow stream
        nothing is opened.

        Raises:
            VideoError: the store lacks it, or has it by another recipe.
        """
        return source_of(self.flow, video if self.needs_store else None, frames, compiled=compiled)

    @property
    def windows(self) -> tuple[int, ...]:
        """How many frames around an instant are needed, by each stream that needs more than one."""
        lengths = {"clip": self.clip_frames}
        if self.flow.store is None:  # else only the fields on disk are looked at
            lengths["flow"] = self.flow.fields + 1
        return tuple(lengths[name] for name in self.streams if name in lengths)

    @property
    def needs_store(self) -> bool:
        """Whether there is a flow stream whose flow lies on disk."""
        return "flow" in self.streams and self.flow.store is not None


@dataclass(frozen=True, eq=False)
class SampledFrames:
    """The frames around n instants of a video, at the size they are kept at.

    Attributes:
        num_frames: of the video; frames around an instant are moved inside it.
        instants: (n,) int64 indices of frames.
        images: index → (H, W, 3) uint8.
    """

    num_frames: int
    frame_indices: np.ndarray
    images: dict[int, np.ndarray]

    @property
    def size(self) -> Size:
        """Of the images."""
        return Size.of_image(next(iter(self.images.values())))


def read_sampled_frames(
    path: Path, spec: InputSpec, choose: Callable[[int], np.ndarray], frames: range | None = None
) -> tuple[SampledFrames, VideoInfo]:
    """Decode what all streams need around the instants that ``choose`` wants; and what the video holds.

    Args:
        path: a video file, or a folder of frames.
        spec: which frames around an instant are needed.
        choose: number of frames N -> (n,) indices; asked again if the file turns out to have another N.
        frames: the part of a folder of frames that is the video; all of it if None.

    Raises:
        VideoError: as :func:`attcell.video.decode.read_frames`, or a damaged folder whose flow lies on disk.
    """
    frame_indices = np.empty(0, dtype=np.int64)

    def needed(num_frames: int) -> np.ndarray:
        nonlocal frame_indices
        frame_indices = choose(num_frames)
        return frames_around(frame_indices, num_frames, spec)

    decoded = read_frames(path, needed, size=lambda shown: kept_size(shown, spec.frame), frames=frames)
    if decoded.info.is_damaged and spec.needs_store and path.is_dir():
        raise VideoError(
            f"{path}: {decoded.info.notes[0]}, so that frames have other numbers than their flow on disk; "
            "get the folder again, or leave it out"
        )
    images = dict(zip(decoded.indices.tolist(), decoded.images, strict=True))
    return SampledFrames(decoded.info.num_frames, frame_indices, images), decoded.info


def window(frame_indices: np.ndarray, num_frames: int, length: int) -> np.ndarray:
    """``length`` consecutive frames around each instant, inside the video: (n,) to (n, length) int64."""
    start = np.clip(frame_indices - length // 2, 0, max(0, num_frames - length))
    return np.minimum(start[:, None] + np.arange(length), num_frames - 1)


@dataclass(frozen=True, eq=False)
class ResizedFrames:
    """The resized frames of some moments, and the flow between them, from which views are cut.

    Attributes:
        pictures: (N, 3, H, W) uint8.
        codes: (P, 2, H, W) uint8, flow by pairs of frames; none without a flow stream.
        bound: of the codes.
        frames: (n,), which picture stands for each instant.
        fields: (n, F), which codes are around it; none without a flow stream.
        clips: (n, L), which pictures are around it; none without a clip stream.
    """

    pictures: Tensor
    codes: Tensor
    bound: float
    frames: Tensor
    fields: Tensor
    clips: Tensor

    @property
    def size(self) -> Size:
        """Of the pictures."""
        return Size(self.pictures.shape[-1], self.pictures.shape[-2])

    def view(self, spec: InputSpec, crop: Crop) -> dict[str, Tensor]:
        """Stream → uint8: frame (n, 3, S, S), flow (n, 2·F or 3, S, S), clip (n, 3, L, S, S)."""
        pictures = crop.cut(self.pictures, spec.frame.size)
        pictures = pictures.flip(-1) if crop.mirrored else pictures
        view = {}
        for stream in spec.streams:
            if stream == "frame":
                view[stream] = _for_convolution(pictures[self.frames])
            elif stream == "flow":
                codes = crop.cut(self.codes, spec.frame.size)
                codes = mirrored_codes(codes) if crop.mirrored else codes
                fields = codes[self.fields]
                as_input = flow_picture(fields[:, 0]) if spec.flow.form == "picture" else flow_stack(fields)
                view[stream] = _for_convolution(as_input)
            else:
                view[stream] = pictures[self.clips].transpose(1, 2)
        return view

    def mean_flow(self) -> Tensor:
        """The mean of the fields around each instant, (n, 2, H, W) float32 in pixels of this canvas."""
        return torch.stack([dequantize(self.codes[rows], self.bound).mean(0) for rows in self.fields])


def resize_frames(
    sampled_frames: SampledFrames, spec: InputSpec, size: Size, flow: FlowSource
) -> ResizedFrames:
    """Resize the frames of some moments, and compute or read the flow between them.

    Args:
        moments: of :func:`read_sampled_frames`, by the same ``spec``.
        spec: which streams.
        size: height and width of the canvas.
        flow: where flow comes from, if there is a flow stream.

    Raises:
        VideoError: flow on disk that does not belong to the video.
    """
    num_frames = sampled_frames.num_frames
    order = sorted(sampled_frames.images)
    pictures = resized([sampled_frames.images[index] for index in order], size)
    codes = torch.empty(0, 2, size.height, size.width, dtype=torch.uint8)
    fields = clips = torch.empty(0, 0, dtype=torch.int64)
    if "flow" in spec.streams:
        around = window(sampled_frames.frame_indices, num_frames, spec.flow.fields + 1)
        pairs, rows = np.unique(
            np.stack([around[:, :-1].ravel(), around[:, 1:].ravel()], axis=1), axis=0, return_inverse=True
        )
        codes = flow.codes(pairs, np.searchsorted(order, pairs), pictures)
        fields = torch.from_numpy(rows.reshape(len(around), -1))
    if "clip" in spec.streams:
        around = window(sampled_frames.frame_indices, num_frames, spec.clip_frames)
        clips = torch.from_numpy(np.searchsorted(order, around))
    frames = torch.from_numpy(np.searchsorted(order, sampled_frames.frame_indices))
    return ResizedFrames(pictures, codes, spec.flow.bound, frames, fields, clips)


def frames_around(frame_indices: np.ndarray, num_frames: int, spec: InputSpec) -> np.ndarray:
    """(m,) the frames that the streams need around some instants (n,), each once and in rising order.

    The instants themselves are always among them, to be shown.
    """
    around = [window(frame_indices, num_frames, length).ravel() for length in spec.windows]
    return np.unique(np.concatenate([frame_indices, *around]))


def _for_convolution(pictures: Tensor) -> Tensor:
    """The same pictures, channels last in memory, which convolutions on a CPU read faster."""
    return pictures.contiguous(memory_format=torch.channels_last)


# A whole video, a sample every few frames, in one pass of decoding and in constant memory.


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

    Raises:
        VideoError: on iteration, as of :class:`EveryFrame`; from ``info``, nothing decoded.
    """

    def __init__(
        self, path: Path, spec: InputSpec, every: int, at_once: int, frames: range | None = None
    ) -> None:
        self._spec = spec
        self._every = every
        self._at_once = at_once
        self._frames = EveryFrame(path, lambda shown: kept_size(shown, spec.frame), frames)

    @property
    def info(self) -> VideoInfo:
        """What was decoded so far: of the whole video once all samples were taken."""
        return self._frames.info

    def __iter__(self) -> Iterator[SampledFrames]:
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
            yield self._sampled_frames(held, np.arange(following, last + 1, self._every), num_frames)
            following = last + self._every
            held = {place: image for place, image in held.items() if place >= following - longest // 2}
        held.update((place, picture()) for place, picture in recent if place not in held)
        left = np.arange(following, num_frames, self._every)  # these look further back
        for start in range(0, len(left), self._at_once):
            yield self._sampled_frames(held, left[start : start + self._at_once], num_frames)

    def _is_needed(self, index: int) -> bool:
        """Whether a frame is around a sample, as far as can be told before the end is known."""
        around = ((index + length // 2) % self._every < length for length in self._spec.windows)
        return index % self._every == 0 or index < max(self._spec.windows, default=0) or any(around)

    def _sampled_frames(
        self, held: dict[int, np.ndarray], frame_indices: np.ndarray, num_frames: int
    ) -> SampledFrames:
        wanted = frames_around(frame_indices, num_frames, self._spec)
        return SampledFrames(num_frames, frame_indices, {index: held[index] for index in wanted.tolist()})
