"""Clips of a whole video at a frame rate of their own: evenly spread over it, or one every few frames.

*Readings*, for networks of other people whose papers differ in this: frame i of a clip is the video's frame
floor(start + i · rate of the video / rate of the clip), as in torchvision's reference; the video's rate is
the mean that its file tells. A video that is shorter than a clip gives one clip whose frames are spread
evenly over all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Int

from attcell._paths import is_folder
from attcell.errors import CallError
from attcell.video._container import opened
from attcell.video._passes import SOME_RATE
from attcell.video.decode import WantedFrames
from attcell.video.features import is_features
from attcell.video.frame_folder import FRAMES_A_SECOND
from attcell.video.info import VideoInfo

Prepared = TypeVar("Prepared")


@dataclass(frozen=True)
class ClipPlan:
    """Which clips of a video are looked at.

    Attributes:
        num_frames: L, of a clip.
        rate: frames a second of a clip.
        num_clips: so many, evenly spread from the video's first frame to its last; fewer where two would be
            the same.
        every: in place of this, one clip every so many frames of the video.
    """

    num_frames: int
    rate: float
    num_clips: int = 1
    every: int | None = None

    @property
    def seconds(self) -> float:
        """How long a clip is."""
        return self.num_frames / self.rate

    def is_short(self, num_frames: int, video_rate: float) -> bool:
        """Whether a video has fewer frames than a clip reaches over."""
        return num_frames < self._reach(video_rate)

    def frame_indices(self, num_frames: int, video_rate: float) -> Int[np.ndarray, "K L"]:
        """The frames of each clip of a video of so many frames."""
        of_clip = np.arange(self.num_frames)
        if self.is_short(num_frames, video_rate):
            return (of_clip * num_frames // self.num_frames)[None]
        last = num_frames - self._reach(video_rate)
        if self.every is None:
            starts = (
                np.unique(np.linspace(0, last, self.num_clips).round()) if self.num_clips > 1 else [last // 2]
            )
        else:
            starts = np.unique(np.append(np.arange(0, last, self.every), last))
        offsets = np.floor(of_clip * (video_rate / self.rate) + 1e-6)
        return (np.asarray(starts)[:, None] + offsets).astype(np.int64)

    def _reach(self, video_rate: float) -> int:
        """Frames of the video from a clip's first to its last, both counted."""
        return int(np.floor((self.num_frames - 1) * (video_rate / self.rate) + 1e-6)) + 1


@dataclass(frozen=True, eq=False)
class Clip(Generic[Prepared]):
    """Some frames of a video.

    Attributes:
        number: counted from 0. When 0 comes again, the file turned out to be another than it promised: what
            came before is void.
        frame_indices: (L,) in the video.
        frames: L, as they were prepared.
        picture: the frame in the middle, as it was prepared to be shown; None where nobody asked for it.
    """

    number: int
    frame_indices: np.ndarray
    frames: list[Prepared]
    picture: np.ndarray | None


class Clips(Generic[Prepared]):
    """The clips of a video one after another, in one pass of decoding.

    Iterate it once; then ``info`` tells what the video held. Frames are held as they were prepared, and only
    as long as a clip still needs them.

    Args:
        path: a video file, or a folder of frames.
        plan: which clips.
        prepare: a frame (H, W, 3) uint8 to what is kept of it.
        picture: the same, for the frame in the middle of each clip; None to keep none.
        frames: which frames of a folder, counted from 0, are the video; all if None.

    Raises:
        CallError: a file of features.
        VideoError: the file cannot be read.
    """

    def __init__(
        self,
        path: Path,
        plan: ClipPlan,
        prepare: Callable[[np.ndarray], Prepared],
        picture: Callable[[np.ndarray], np.ndarray] | None = None,
        frames: range | None = None,
    ) -> None:
        if is_features(path):
            raise CallError(f"{path} holds features, and this model looks at frames; give the video itself")
        self.video_rate = mean_rate(path)
        self._plan = plan
        self._prepare, self._picture = prepare, picture
        self._reading = WantedFrames(path, self._choose, frames=frames)
        self._clips = np.empty((0, plan.num_frames), dtype=np.int64)

    def __iter__(self) -> Iterator[Clip[Prepared]]:
        held: dict[int, Prepared] = {}
        shown: dict[int, np.ndarray] = {}
        following = 0  # the clip that still waits for frames
        for found in self._reading:
            if found is None:
                held, shown, following = {}, {}, 0
                continue
            index, image, _ = found
            held[index] = self._prepare(image)
            if self._picture is not None and index in self._middles:
                shown[index] = self._picture(image)
            while following < len(self._clips) - 1 and index >= self._clips[following, -1]:
                yield self._clip(following, held, shown)
                following += 1
                first = self._clips[following, 0]
                held = {place: frame for place, frame in held.items() if place >= first}
                shown = {place: picture for place, picture in shown.items() if place >= first}
        assert self.info.num_frames  # a file of which nothing decodes is an error
        yield self._clip(following, held, shown)  # only now it is certain that it is the last

    @property
    def info(self) -> VideoInfo:
        """What the video held, once all clips were taken."""
        return self._reading.info

    @property
    def are_short(self) -> bool:
        """Whether the video is shorter than a clip, once all clips were taken."""
        return self._plan.is_short(self.info.num_frames, self.video_rate)

    def _choose(self, num_frames: int) -> np.ndarray:
        self._clips = self._plan.frame_indices(num_frames, self.video_rate)
        self._middles = frozenset(self._clips[:, self._plan.num_frames // 2].tolist())
        return np.unique(self._clips)

    def _clip(
        self, number: int, held: Mapping[int, Prepared], shown: Mapping[int, np.ndarray]
    ) -> Clip[Prepared]:
        indices = self._clips[number]
        picture = None if self._picture is None else shown[int(indices[len(indices) // 2])]
        return Clip(number, indices, [held[index] for index in indices.tolist()], picture)


def mean_rate(path: Path) -> float:
    """Frames a second of a video, as its file tells; of a folder of frames 25.

    Raises:
        VideoError: the file cannot be opened.
    """
    if is_folder(path):
        return float(FRAMES_A_SECOND)
    with opened(path, None) as (_, video):
        rate = float(video.average_rate or video.guessed_rate or SOME_RATE)
    return rate if rate > 0 else SOME_RATE
