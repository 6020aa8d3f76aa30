"""Video files to RGB frames: one forward pass, only the wanted frames converted, exact presentation times.

How a frame is counted, timed and shown:

- *Number of frames*: what really decodes. A header's count is never believed, and a file is always decoded to
  its end, so that a count, a time or a note is the truth even where only the first frames are wanted.
- *Times*: presentation time stamps in seconds, as the file gives them; the first need not be 0. Frames
  without a usable stamp (none, or not later than the frame before) are put evenly between their neighbours,
  or go on at the file's frame rate. Where more decoding stamps than presentation stamps are usable, as in an
  AVI with B-frames, they are taken instead. ``notes`` says so.
- *Damage*: what decodes is kept and ``notes`` says so. After a packet that the decoder refuses, frames are
  dropped up to the next key frame, for they are built on what is missing. A file of which nothing decodes is
  a VideoError.
- *Colours*: the file's own matrix and range; FFmpeg's default, BT.601 of limited range, where it names none.
  BT.2020 is not tone-mapped, transparency is ignored, pixels are taken as square.
- *Rotation and mirroring* that the file asks for are applied, in quarter turns.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from attcell.errors import VideoError
from attcell.video.container import opened
from attcell.video.picture import shown_size, to_rgb
from attcell.video.times import frame_times

_MAX_THREADS = 16  # FFmpeg's own bound; it would take one more than there are cores, which is slower
_SOME_RATE = 25.0  # frames a second, where a file gives neither times nor a rate


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """What a video file holds, by decoding it.

    Attributes:
        num_frames: N >= 1, the frames that decode.
        frame_seconds: (N,) float64, presentation time of each frame, increasing; the first need not be 0.
        end_seconds: when the last frame ends.
        width: of the frames as shown, after rotation.
        height: of the frames as shown, after rotation.
        notes: what the reader should know, such as damage.
        is_damaged: part of the file does not decode.
    """

    num_frames: int
    frame_seconds: np.ndarray
    end_seconds: float
    width: int
    height: int
    notes: tuple[str, ...] = ()
    is_damaged: bool = False

    @property
    def duration_seconds(self) -> float:
        """From the first frame's presentation to the end of the last."""
        return self.end_seconds - float(self.frame_seconds[0])


@dataclass(frozen=True, eq=False)
class DecodedFrames:
    """Some frames of a video.

    Attributes:
        info: the whole video.
        indices: (n,) int64, which frames were asked for, in that order.
        images: n arrays (H, W, 3) uint8 RGB of one size; an index that repeats shares one array.
    """

    info: VideoInfo
    indices: np.ndarray
    images: list[np.ndarray]


def count_frames(path: Path | str, *, stream: int | None = None) -> VideoInfo:
    """Decode the whole video without keeping a frame: how many frames, when, how large, what is damaged.

    Args:
        path: a video file.
        stream: index of the stream inside the file; the best video stream if None.

    Raises:
        VideoError: the file is missing, empty, not a video, or nothing of it decodes.
    """
    path = Path(path)
    decoded = _decode(path, stream, lambda _: (), "AUTO")
    if decoded.is_damaged:
        decoded = _decode(path, stream, lambda _: (), "NONE")
    return decoded.info(path)


def read_frames(
    path: Path | str, choose: Callable[[int], np.ndarray], *, stream: int | None = None
) -> DecodedFrames:
    """Decode the frames that ``choose`` wants, in one forward pass without seeking.

    ``choose`` is asked for as many frames as the file promises: an MP4 in its index of samples, any other by
    its packets, which are counted first without decoding. Then the file is decoded. Should another number of
    frames come out (a wrong index, damage, hidden frames, several frames in a packet),
    ``choose`` is asked again with the true number and the file is read again; only its last answer counts.

    Args:
        path: a video file.
        choose: number of frames N -> the wanted indices (n,), each in [0, N), in any order, repeats allowed.
        stream: index of the stream inside the file; the best video stream if None.

    Raises:
        VideoError: the file is missing, empty, not a video, nothing of it decodes, or an index is out of
            range; what ``choose`` raises for the true number of frames passes through.
    """
    path = Path(path)
    choice, threads = _Choice(path, choose), "AUTO"
    decoded = _decode(
        path, stream, lambda header: choice(header or promised_frames(path, stream=stream)), threads
    )
    while len(decoded.pts) != choice.num_frames or (decoded.is_damaged and threads == "AUTO"):
        # On one thread a damaged file gives the same frames on every machine, so this comes to an end.
        threads = "NONE" if decoded.is_damaged else threads
        decoded = _decode(path, stream, lambda _, found=decoded: choice(len(found.pts)), threads)  # type: ignore[misc]
    if choice.refusal is not None:
        raise VideoError(f"{path}: {choice.refusal}") from choice.refusal
    return DecodedFrames(
        decoded.info(path), choice.wanted, [decoded.images[i] for i in choice.wanted.tolist()]
    )


class _Choice:
    """Asks ``choose`` for the frames of a video of so many frames, and remembers the last answer."""

    def __init__(self, path: Path, choose: Callable[[int], np.ndarray]) -> None:
        self.path = path
        self.choose = choose

    def __call__(self, num_frames: int) -> frozenset[int]:
        self.num_frames = num_frames
        self.wanted, self.refusal = _wanted(self.path, self.choose, num_frames)
        return frozenset(self.wanted.tolist())


def _wanted(
    path: Path, choose: Callable[[int], np.ndarray], num_frames: int
) -> tuple[np.ndarray, Exception | None]:
    """The wanted indices (n,), or none and why ``choose`` refused: the number may not be the true one yet."""
    nothing = np.empty(0, dtype=np.int64)
    if num_frames == 0:
        return nothing, None
    try:
        wanted = np.asarray(choose(num_frames), dtype=np.int64)
    except VideoError as refusal:
        return nothing, refusal
    outside = wanted[(wanted < 0) | (wanted >= num_frames)]
    if outside.size:
        return nothing, VideoError(
            f"{path}: frame {outside[0]} was asked for, but the video has {num_frames} frames, counted from 0"
        )
    return wanted, None


@dataclass
class _Decoded:
    """What came out of one pass over a file."""

    seconds_per_tick: tuple[int, int]
    header_rate: float
    header_frames: int
    header_end: float = 0.0  # seconds, where only this tells that a file was cut off
    num_packets: int = 0
    pts: list[int | None] = field(default_factory=list)
    dts: list[int | None] = field(default_factory=list)
    last_ticks: int = 0
    images: dict[int, np.ndarray] = field(default_factory=dict)
    size: tuple[int, int] = (0, 0)  # width and height of the first frame, as stored
    shown_size: tuple[int, int] = (0, 0)
    num_refused: int = 0
    num_flagged: int = 0
    cut_off: str = ""
    other_sizes: set[tuple[int, int]] = field(default_factory=set)

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
        return VideoInfo(len(self.pts), seconds, end, *self.shown_size, tuple(notes), self.is_damaged)

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


def _decode(path: Path, stream: int | None, plan: Callable[[int], Collection[int]], threads: str) -> _Decoded:
    """Decode the whole file on many threads ("AUTO") or on one ("NONE"), keeping the wanted frames as RGB.

    ``plan`` gets the number of frames in an MP4's index (0 for other files) and gives the wanted ones.
    """
    with opened(path, stream) as (container, video):
        wanted = plan(video.frames if "mp4" in container.format.name else 0)
        video.thread_type = threads
        video.codec_context.thread_count = min(os.cpu_count() or 1, _MAX_THREADS)
        ticks = video.time_base
        rate = video.average_rate or video.guessed_rate or _SOME_RATE
        assert ticks is not None  # FFmpeg gives every stream one
        decoded = _Decoded((ticks.numerator, ticks.denominator), float(rate), video.frames)
        if container.format.name.startswith("matroska") and container.duration:
            decoded.header_end = ((container.start_time or 0) + container.duration) / av.time_base
        reformatter = VideoReformatter()  # one for all: setting up a conversion costs as much as doing it
        for frame in _whole_frames(container, video, decoded):
            size = (frame.width, frame.height)
            index = len(decoded.pts)
            if index == 0:
                decoded.size, decoded.shown_size = size, shown_size(frame)
            elif size != decoded.size:
                decoded.other_sizes.add(size)
            decoded.pts.append(frame.pts)
            decoded.dts.append(frame.dts)
            decoded.last_ticks = frame.duration
            decoded.num_flagged += frame.is_corrupt
            if index in wanted:
                decoded.images[index] = to_rgb(frame, decoded.shown_size, reformatter)
        return decoded


def _whole_frames(container: InputContainer, video: VideoStream, decoded: _Decoded) -> Iterator[VideoFrame]:
    """The frames to keep, in the order they are shown; damage is counted in ``decoded``."""
    is_broken = False
    for packet in _packets(container, video, decoded):
        try:
            frames = video.decode(packet)
        except av.FFmpegError:
            decoded.num_refused += 1
            is_broken = bool(decoded.pts)
            continue
        for frame in frames:
            is_broken = is_broken and not frame.key_frame
            if not is_broken:
                yield frame


def _packets(container: InputContainer, video: VideoStream, decoded: _Decoded) -> Iterator[av.Packet | None]:
    """The stream's packets, then None to flush the decoder."""
    packets = container.demux(video)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            decoded.cut_off = error.strerror or str(error)
            packet = None
        if packet is None:
            break
        if (
            not packet.size
        ):  # an AVI's repeated frame, or PyAV's flush: the decoder would take both for the end
            continue
        decoded.num_packets += not packet.is_discard
        if packet.is_corrupt:
            decoded.cut_off = decoded.cut_off or "a packet is incomplete"
        yield packet
    yield None


def promised_frames(path: Path, *, stream: int | None = None) -> int:
    """How many frames a video's packets promise, without decoding: a quick look whether it can be opened.

    Raises:
        VideoError: the file is missing, empty or not a video.
    """
    with opened(path, stream) as (container, video):
        counted = _Decoded((1, 1), _SOME_RATE, 0)
        for _ in _packets(container, video, counted):
            pass
        return counted.num_packets
