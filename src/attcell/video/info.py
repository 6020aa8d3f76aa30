"""What came out of one pass over a video file, and what it tells of the video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from attcell.errors import VideoError
from attcell.types import Size

NO_SIZE = Size(0, 0)  # until a frame has come
Times = Callable[[np.ndarray], np.ndarray]  # (n,) indices of frames that have come -> (n,) seconds


class Wanted(NamedTuple):
    """A frame that was asked for.

    Attributes:
        frame_index: from 0.
        image: (H, W, 3) uint8, RGB.
        times: tells when this and earlier frames are shown, as far as can be told yet.
    """

    frame_index: int
    image: np.ndarray
    times: Times


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """What a video file holds, by decoding it.

    Attributes:
        num_frames: N >= 1, the frames that decode.
        frame_seconds: (N,) float64, presentation time of each frame, increasing; the first need not be 0.
        end_seconds: when the last frame ends.
        size: of the frames as shown, after rotation.
        notes: what the reader should know, such as damage.
        is_damaged: part of the file does not decode.
    """

    num_frames: int
    frame_seconds: np.ndarray
    end_seconds: float
    size: Size
    notes: tuple[str, ...] = ()
    is_damaged: bool = False

    @property
    def duration_seconds(self) -> float:
        """From the first frame's presentation to the end of the last."""
        return self.end_seconds - float(self.frame_seconds[0])


@dataclass
class DecodedPass:
    """What came out of one pass over a file."""

    seconds_per_tick: tuple[int, int]
    header_rate: float
    header_frames: int
    header_end: float = 0.0  # seconds, where only this tells that a file was cut off
    num_packets: int = 0
    pts: list[int | None] = field(default_factory=list)
    dts: list[int | None] = field(default_factory=list)
    last_ticks: int = 0
    stored_size: Size = NO_SIZE  # of the first frame, before rotation
    shown_size: Size = NO_SIZE
    kept_size: Size = NO_SIZE  # of the images
    num_refused: int = 0
    num_flagged: int = 0
    cut_off: str = ""
    other_sizes: set[Size] = field(default_factory=set)
    is_timed: bool = True  # each frame so far has a stamp of its own, later than the one before

    def add_frame(self, pts: int | None, dts: int | None) -> None:
        """Note the stamps of the next frame."""
        self.is_timed = self.is_timed and pts is not None and (not self.pts or pts > (self.pts[-1] or 0))
        self.pts.append(pts)
        self.dts.append(dts)

    def seconds_of(self, frame_indices: np.ndarray) -> np.ndarray:
        """(n,) when some of the frames that have come are shown: as :meth:`info` has it in the end, but for
        files whose stamps are missing or run backwards, of which it is what the frames so far tell."""
        numerator, denominator = self.seconds_per_tick
        if self.is_timed:
            return np.array([(self.pts[of] or 0) * numerator / denominator for of in frame_indices.tolist()])
        seconds, _, _ = frame_times(
            self.pts, self.dts, self.seconds_per_tick, self.header_rate, self.last_ticks
        )
        return seconds[frame_indices]

    @property
    def is_damaged(self) -> bool:
        return bool(self.num_refused or self.num_flagged or self.cut_off)

    def info(self, path: Path) -> VideoInfo:
        if not self.pts:
            raise VideoError(
                f"{path}: none of its {self.num_packets} video packets decodes; the file is damaged. "
                "Get it again, or leave it out."
            )
        seconds, end, is_exact = frame_times(
            self.pts, self.dts, self.seconds_per_tick, self.header_rate, self.last_ticks
        )
        notes = self._notes()
        if not is_exact:
            notes.append("presentation times are missing or run backwards; frame times are estimated")
        if end < self.header_end - max(1.0, 0.1 * self.header_end):
            notes.append(
                f"the header promises {self.header_end:.1f} seconds, the video ends at {end:.1f}: "
                "the file may be cut off"
            )
        return VideoInfo(len(self.pts), seconds, end, self.shown_size, tuple(notes), self.is_damaged)

    def _notes(self) -> list[str]:
        notes = []
        num_frames = len(self.pts)
        promised = max(self.num_packets, self.header_frames) if self.cut_off else self.num_packets
        if self.is_damaged and num_frames < promised:
            notes.append(f"{num_frames} of {promised} frames decode; the rest is damaged or missing")
        elif self.num_refused:
            notes.append(f"damaged packets: {self.num_refused}")
        if self.num_flagged:
            notes.append(f"frames that are kept though the decoder calls them damaged: {self.num_flagged}")
        if self.cut_off:
            notes.append(f"the file is cut off or damaged: {self.cut_off}")
        if self.other_sizes:
            sizes = ", ".join(f"{width}x{height}" for width, height in sorted(self.other_sizes))
            notes.append(f"some frames have another size ({sizes}); all are brought to the first frame's")
        return notes


# Time stamps of a file's frames to presentation times in seconds.


def frame_times(
    pts: Sequence[int | None],
    dts: Sequence[int | None],
    seconds_per_tick: tuple[int, int],
    rate: float,
    last_ticks: int,
) -> tuple[np.ndarray, float, bool]:
    """Times (N,) in seconds, increasing; when the last frame ends; whether all are the file's own.

    Args:
        pts: the N frames' presentation stamps, in the order shown.
        dts: their decoding stamps, which stand in where more of them are usable.
        seconds_per_tick: numerator and denominator.
        rate: frames a second, where the stamps do not tell.
        last_ticks: duration of the last frame, 0 if unknown.
    """
    numerator, denominator = seconds_per_tick
    frames, ticks = max(_usable(pts), _usable(dts), key=lambda usable: len(usable[0]))
    seconds = np.array([tick * numerator / denominator for tick in ticks])
    # NumPy's median imports numpy.ma at its first call, .05 s in each process that decodes.
    step = median((np.diff(seconds) / np.diff(frames)).tolist()) if len(frames) > 1 else 1 / rate
    if ticks == list(pts):
        end = (ticks[-1] + last_ticks) * numerator / denominator if last_ticks > 0 else seconds[-1] + step
        return seconds, float(end), True
    if not frames:
        frames, seconds = [0], np.zeros(1)
    every = np.arange(len(pts))
    outside = np.minimum(every - frames[0], 0) + np.maximum(every - frames[-1], 0)
    seconds = np.interp(every, frames, seconds) + outside * step
    return seconds, float(seconds[-1] + step), False


def _usable(stamps: Sequence[int | None]) -> tuple[list[int], list[int]]:
    """The frames whose stamp is later than every one before, and these stamps."""
    frames: list[int] = []
    ticks: list[int] = []
    for frame, stamp in enumerate(stamps):
        if stamp is not None and (not ticks or stamp > ticks[-1]):
            frames.append(frame)
            ticks.append(stamp)
    return frames, ticks
