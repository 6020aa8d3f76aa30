"""The sound of a video file: mono at 16 kHz, on the clock of its frames.

- *Mono*: the mean of all channels, whatever their layout. *Rate*: FFmpeg's resampler brings any to 16 kHz.
- *Which stream*: the one that the file calls its default, else the one that FFmpeg takes; ``notes`` says so
  where there are several.
- *Times*: presentation time stamps, as of the frames, so that edit lists and the samples that prime a codec
  are where the file has them. Stamps that are up to ``JITTER_SECONDS`` off the samples that came are only
  rounded; larger gaps are silence, and what comes twice is taken once.
- *Damage*: a packet that does not decode is silence, and ``notes`` says how many.

Whoever wants some moments of a long video asks a :class:`SoundReader`, which goes forward through the file
beside the frames and holds only what is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from attcell._paths import is_folder
from attcell._urls import path_or_url
from attcell.video._container import open_container
from attcell.video.features import is_features
from attcell.video.sound.stream import Tally, frames_of, sound_stream

RATE = 16_000  # samples a second
JITTER_SECONDS = 0.008  # Matroska rounds stamps to a millisecond
_FAR = 60 * RATE  # samples that are not decoded in between
_RUN_UP = 2.0  # seconds that are decoded before a window that is sought: codecs need some to settle
_INDEXED = frozenset({"mp4", "mov", "matroska", "webm"})  # formats whose index leads to a time


@dataclass(frozen=True, eq=False)
class Sound:
    """A whole sound, or a part of one.

    Attributes:
        samples: (S,) float32 in [-1, 1], mono at ``RATE``.
        start_seconds: of the first sample, on the clock of ``VideoInfo.frame_seconds``.
        notes: what the reader should know, such as damage.
    """

    samples: np.ndarray
    start_seconds: float
    notes: tuple[str, ...] = ()

    @property
    def end_seconds(self) -> float:
        """When the last sample ends."""
        return self.start_seconds + len(self.samples) / RATE

    def around(self, seconds: np.ndarray, num_samples: int) -> np.ndarray:
        """(n, num_samples) float32: windows centred at these times (n,); zeros where there is no sound."""
        windows = _Windows(seconds, num_samples)
        windows.take(Block(round(self.start_seconds * RATE), self.samples))
        return windows.samples


def read_sound(path: Path | str) -> Sound | None:
    """The whole sound of a file; None where it has none. It is held in memory: 64 kB a second.

    A folder of frames and a file of features have none.

    Raises:
        VideoError: the file is missing or empty, or FFmpeg cannot read it.
    """
    reading = SoundBlocks(path_or_url(path))
    blocks = list(reading)
    if not blocks:
        return None
    first = blocks[0].first
    samples = np.zeros(blocks[-1].end - first, dtype=np.float32)
    for block in blocks:
        samples[block.first - first : block.end - first] = block.samples
    return Sound(samples, first / RATE, reading.notes)


@dataclass(frozen=True, eq=False)
class Block:
    """Samples (S,) float32 that follow each other; ``first`` is the number of the first one, counted from the
    time 0."""

    first: int
    samples: np.ndarray

    @property
    def end(self) -> int:
        """The number of the sample behind the last."""
        return self.first + len(self.samples)


class _Windows:
    """Windows of ``num_samples`` samples centred at some times, which blocks of sound fill in any order."""

    def __init__(self, seconds: np.ndarray, num_samples: int) -> None:
        self.starts = np.rint(np.asarray(seconds) * RATE).astype(np.int64) - num_samples // 2
        self.samples = np.zeros((len(self.starts), num_samples), dtype=np.float32)
        self.num_recorded = np.zeros(len(self.starts), dtype=np.int64)

    @property
    def end(self) -> int:
        """The number of the sample behind the last window."""
        return int(self.starts.max(initial=-self.samples.shape[1])) + self.samples.shape[1]

    def take(self, block: Block) -> None:
        """Copy what windows and block share."""
        length = self.samples.shape[1]
        inside = (self.starts < block.end) & (self.starts + length > block.first)
        for row in np.flatnonzero(inside).tolist():
            start = int(self.starts[row])
            first, end = max(start, block.first), min(start + length, block.end)
            self.samples[row, first - start : end - start] = block.samples[
                first - block.first : end - block.first
            ]
            self.num_recorded[row] += end - first


class SoundReader:
    """The sound around rising times of a file, forward and in constant memory.

    What was passed by is read again from the file's beginning where it is asked for nevertheless. Where the
    next window is far off, MP4, MOV, Matroska and WebM files are not decoded in between.

    Args:
        path: a video file; a folder of frames or a file of features has no sound.

    Attributes:
        num_windows: how many were asked for.
        num_silent: how many of them lie where nothing was recorded.

    Raises:
        VideoError: on the first call of :meth:`around`, FFmpeg cannot read the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._may_jump = True
        self._begin()

    def _begin(self) -> None:
        self._reading = SoundBlocks(self._path)
        self._blocks = iter(self._reading)
        self._held: list[Block] = []
        self._place: int | None = None  # the sample behind those that were read
        self._sought = -1  # the sample that was jumped to
        self._kept_from: int | None = None  # samples before this one are forgotten
        self._is_over = False
        self.num_windows = self.num_silent = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """On the part of the file that was read."""
        return self._reading.notes

    @property
    def has_sound(self) -> bool:
        """Whether there is a stream of sound, known once some was asked for."""
        return self._reading.has_stream

    def around(self, seconds: np.ndarray, num_samples: int) -> np.ndarray:
        """(n, num_samples) float32: as of :meth:`Sound.around`."""
        windows = _Windows(seconds, num_samples)
        if self._kept_from is not None and windows.starts.min(initial=self._kept_from) < self._kept_from:
            self._begin()
        for held in self._held:
            windows.take(held)
        starts = np.sort(windows.starts)
        while not self._is_over and (self._place is None or self._place < windows.end):
            upcoming = starts[0] if self._place is None else starts[starts + num_samples > self._place][0]
            block = self._next_block(int(upcoming))
            if block is not None:
                windows.take(block)
                self._held.append(block)
                self._forget(windows)
        self._forget(windows)
        keep = windows.end - 2 * num_samples
        self._kept_from = keep if self._kept_from is None else max(keep, self._kept_from)
        self.num_windows += len(windows.starts)
        self.num_silent += int((windows.num_recorded == 0).sum())
        return windows.samples

    def _next_block(self, upcoming: int) -> Block | None:
        """The next block, or one near the upcoming window where that is far off; None at the end."""
        jumps = upcoming > self._sought and self._may_jump and upcoming - (self._place or 0) > _FAR
        if jumps:
            self._sought = upcoming  # once: where it leads to a place far before, the rest is decoded
            self._reading = self._reading.from_sample(upcoming)
            self._blocks = iter(self._reading)
        block = next(self._blocks, None)
        if jumps and self._reading.has_stream and (block is None or block.first > upcoming):
            self._may_jump = False  # the file's index does not lead there
            self._reading = SoundBlocks(self._path)
            self._blocks = iter(self._reading)
            block = next(self._blocks, None)
        self._is_over = block is None
        self._place = self._place if block is None else block.end
        return block

    def _forget(self, windows: _Windows) -> None:
        """Drop what no later call asks for, if times rise: all before the last window but one length."""
        keep = windows.end - 2 * windows.samples.shape[1]
        self._held = [block for block in self._held if block.end > keep]


class SoundBlocks:
    """The sound of a file in blocks, in the order of time and without overlap. Iterate it once; then
    ``notes`` and ``has_stream`` tell of it. Samples are numbered at ``rate`` a second."""

    def __init__(
        self, path: Path, rate: int = RATE, start: int | None = None, tally: Tally | None = None
    ) -> None:
        self._path = path
        self._rate = rate
        self._start = start
        self._tally = Tally() if tally is None else tally
        self.has_stream = False

    def from_sample(self, start: int) -> SoundBlocks:
        """The same from before this sample on, where the file's format leads there; else from its beginning.
        What is noted is noted together."""
        return SoundBlocks(self._path, self._rate, start, self._tally)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._tally.notes())

    def __iter__(self) -> Iterator[Block]:
        if is_folder(self._path) or is_features(self._path):
            return
        with open_container(self._path) as container:
            stream = sound_stream(container, self._tally)
            if stream is None:
                return
            self.has_stream = True
            if self._start is not None and _INDEXED & set(container.format.name.split(",")):
                assert stream.time_base is not None  # FFmpeg gives every stream one
                at = round((self._start / self._rate - _RUN_UP) / stream.time_base)
                container.seek(max(at, 0), stream=stream, backward=True)
            yield from _without_overlap(_runs(container, stream, self._tally, self._rate))


def _runs(container: InputContainer, stream: AudioStream, tally: Tally, rate: int) -> Iterator[Block]:
    """Blocks of at least half a second, where so much follows each other, mono at ``rate``."""
    run: _Run | None = None
    for frame in frames_of(container, stream, tally):
        if run is None or not run.goes_on(frame):
            if run is not None:
                yield run.rest()
            run = _Run(frame, 0.0 if run is None else run.end_seconds, rate)
        run.take(frame)
        if run.num_waiting >= rate // 2:
            yield run.block()
    if run is not None:
        yield run.rest()


class _Run:
    """Frames of one format whose stamps follow each other, through one resampler.

    Args:
        frame: the first.
        otherwise: when it begins, where it has no stamp.
        rate: samples a second that come out.
    """

    def __init__(self, frame: AudioFrame, otherwise: float, rate: int) -> None:
        self._format = (frame.sample_rate, frame.format.name, frame.layout.name)
        self._resampler = AudioResampler(format="flt", layout=None, rate=rate)
        self._start = otherwise if frame.time is None else frame.time
        self._num_in = 0
        self._next = round(self._start * rate)
        self._waiting: list[np.ndarray] = []
        self.num_waiting = 0

    @property
    def end_seconds(self) -> float:
        """When the next frame begins."""
        return self._start + self._num_in / self._format[0]

    def goes_on(self, frame: AudioFrame) -> bool:
        """Whether a frame follows."""
        is_timed = frame.time is None or abs(frame.time - self.end_seconds) <= JITTER_SECONDS
        return is_timed and self._format == (frame.sample_rate, frame.format.name, frame.layout.name)

    def take(self, frame: AudioFrame | None) -> None:
        """Resample a frame; None lets out what is left."""
        if frame is not None:
            self._num_in += frame.samples
            frame.pts = None  # the place is counted here
        for resampled in self._resampler.resample(frame):
            self._waiting.append(resampled.to_ndarray().reshape(resampled.samples, -1))
            self.num_waiting += resampled.samples

    def block(self) -> Block:
        """What has come out since the last one."""
        channels = np.concatenate(self._waiting) if self._waiting else np.empty((0, 1), np.float32)
        samples = np.clip(np.nan_to_num(channels).mean(axis=1), -1, 1).astype(np.float32, copy=False)
        block = Block(self._next, samples)
        self._waiting, self.num_waiting, self._next = [], 0, block.end
        return block

    def rest(self) -> Block:
        """The last one."""
        self.take(None)
        return self.block()


def _without_overlap(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same, with what comes twice taken once, and without empty ones."""
    end: int | None = None
    for block in blocks:
        first = block.first if end is None else max(block.first, end)
        samples = block.samples[first - block.first :]
        if len(samples):
            end = first + len(samples)
            yield Block(first, samples)
