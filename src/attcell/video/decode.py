"""Videos to RGB frames: one forward pass, only the wanted frames converted, exact presentation times.

How a frame is counted, timed and shown:

- *Number of frames*: what really decodes. A header's count is never believed, and a file is always read to
  its end, so that a count, a time or a note is the truth even where only the first frames are wanted.
- *Frames that are not decoded*: in H.264 and HEVC, where the packets leave no doubt which frame they hold
  (``_packet_index.py``). In an MP4 whose packets agree with its index, frames that nobody wants and no other
  frame is built on are counted by their packets. Where that spares ``LEAST_SPARED`` frames, as of a long
  video of which few are wanted, decoding goes from key frame to key frame. The frames and the times are
  those of decoding everything. Damage inside a frame that is not decoded does not show:
  ``count_frames`` and ``attcell data check`` decode all.
- *Times*: presentation time stamps in seconds, as the file gives them; the first need not be 0. Frames
  without a usable stamp (none, or not later than the frame before) are put evenly between their neighbours,
  or go on at the file's frame rate. Where more decoding stamps than presentation stamps are usable, as in an
  AVI with B-frames, they are taken instead. ``notes`` says so.
- *Damage*: what decodes is kept and ``notes`` says so. After a packet that the decoder refuses, frames are
  dropped up to the next key frame: they are built on what is missing. A file whose container shows that it
  was cut off (``_ending.py``) is damaged, even if all that is left decodes. MPEG-TS files that were joined
  are whole. A file of which nothing decodes is a VideoError.
- *Colours*: the file's own matrix and range; FFmpeg's default, BT.601 of limited range, where it names none.
  BT.2020 is not tone-mapped, transparency is ignored, pixels are taken as square.
- *Rotation and mirroring* that the file asks for are applied, in quarter turns.

A folder of numbered pictures is read in place of a file (``frame_folder.py``), or a window of its frames; and
a file of features, whose rows are frames without a picture (``features.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attcell._paths import is_folder
from attcell._urls import path_or_url
from attcell.errors import VideoError
from attcell.video._passes import (
    Sizing,
    at_its_end,
    every_frame_decoded,
    needed_frames_decoded,
    promised_frames,
    refuse_window,
)
from attcell.video.features import (
    NO_PICTURE,
    ROW_SECONDS,
    Rows,
    is_features,
    open_features,
    refuse_not_finite,
)
from attcell.video.frame_folder import open_frames
from attcell.video.info import DecodedPass, VideoInfo, Wanted

__all__ = ["DecodedFrames", "VideoInfo", "count_frames", "promised_frames", "read_frames"]


@dataclass(frozen=True, eq=False)
class DecodedFrames:
    """Some frames of a video.

    Attributes:
        info: the whole video.
        indices: (n,) int64, which frames were asked for, in that order.
        images: n arrays (H, W, 3) uint8 RGB, all of the size asked for; an index
            that repeats shares one array.
    """

    info: VideoInfo
    indices: np.ndarray
    images: list[np.ndarray]


def count_frames(path: Path | str, *, stream: int | None = None, frames: range | None = None) -> VideoInfo:
    """Decode the whole video without keeping a frame: how many frames, when, how large, what is damaged.

    Args:
        path: a video file, or a folder of frames.
        stream: index of the stream inside a file; the best video stream if None.
        frames: which frames of a folder, counted from 0, are the video; all if None.

    Raises:
        VideoError: the file is missing, empty, not a video, or nothing of it decodes; the folder is none of
            frames, or has a gap.
        CallError: ``frames`` of a file.
    """
    path = path_or_url(path)
    if is_folder(path):
        return at_its_end(open_frames(path, frames).every_frame(())).info(path)
    refuse_window(path, frames)
    if is_features(path):
        refuse_not_finite(path, open_features(path))
        return Rows.of(path, ROW_SECONDS).info(path)
    decoded = at_its_end(every_frame_decoded(path, stream, lambda _: (), "AUTO"))
    if decoded.is_damaged:
        decoded = at_its_end(every_frame_decoded(path, stream, lambda _: (), "NONE"))
    return decoded.info(path)


def read_frames(
    path: Path | str,
    choose: Callable[[int], np.ndarray],
    *,
    size: Sizing | None = None,
    stream: int | None = None,
    frames: range | None = None,
    row_seconds: float = ROW_SECONDS,
) -> DecodedFrames:
    """Decode the frames that ``choose`` wants, in one forward pass.

    ``choose`` is asked for as many frames as the file promises: an MP4 in its index of samples, any other by
    its packets, which are counted first without decoding. Then the file is decoded. Should another number of
    frames come out (a wrong index, damage, hidden frames, several frames in a packet),
    ``choose`` is asked again with the true number and the file is read again; only its last answer counts.
    Of a folder of frames only the wanted ones are decoded, and all if one of these is damaged.

    Args:
        path: a video file, or a folder of frames.
        choose: number of frames N -> the wanted indices (n,), each in [0, N), in any order, repeats allowed.
        size: the size of the frames as shown -> the one to keep them at; as they are if None. Scaling while
            decoding is what keeps the memory of a large video small.
        stream: index of the stream inside a file; the best video stream if None.
        frames: which frames of a folder, counted from 0, are the video; all if None.
        row_seconds: from one row of a file of features to the next.

    Raises:
        VideoError: the file is missing, empty, not a video, nothing of it decodes, or an index is out of
            range; the folder is none of frames, or has a gap; what ``choose`` raises for the true number of
            frames passes through.
        CallError: ``frames`` of a file.
    """
    reading = WantedFrames(
        path_or_url(path), choose, size=size, stream=stream, frames=frames, row_seconds=row_seconds
    )
    images: dict[int, np.ndarray] = {}
    for found in reading:
        if found is None:
            images.clear()
        else:
            images[found.frame_index] = found.image
    indices = reading.indices
    return DecodedFrames(reading.info, indices, [images[i] for i in indices.tolist()])


class WantedFrames:
    """The frames that ``choose`` wants, one after another: what :func:`read_frames` does, in bounded memory.

    Iterate it once. Each item is a wanted frame with its index, in rising order, none left out; or None,
    which means that the video begins again, and all that came before is void. Then ``indices`` are the last
    answer of ``choose``, and ``info`` is what the video holds.
    """

    def __init__(
        self,
        path: Path,
        choose: Callable[[int], np.ndarray],
        *,
        size: Sizing | None = None,
        stream: int | None = None,
        frames: range | None = None,
        row_seconds: float = ROW_SECONDS,
    ) -> None:
        if not is_folder(path):
            refuse_window(path, frames)
        self._path = path
        self._row_seconds = row_seconds
        self._choice = _Choice(path, choose)
        self._size = size
        self._stream = stream
        self._frames = frames
        self._decoded: DecodedPass | None = None

    def __iter__(self) -> Iterator[Wanted | None]:
        of_rows = self._of_rows if is_features(self._path) else self._of_file
        self._decoded = yield from (self._of_folder() if is_folder(self._path) else of_rows())
        refusal = self._choice.refusal
        if refusal is not None:
            raise VideoError(f"{self._path}: {refusal}") from refusal

    @property
    def indices(self) -> np.ndarray:
        """(n,) int64, which frames were wanted, as ``choose`` gave them."""
        return self._choice.wanted

    @property
    def info(self) -> VideoInfo:
        """What the video holds, once all frames were taken."""
        assert self._decoded is not None, "iterate first"
        return self._decoded.info(self._path)

    def _of_file(self) -> Generator[Wanted | None, None, DecodedPass]:
        path, stream, choice, threads = self._path, self._stream, self._choice, "AUTO"

        def plan(indexed: int) -> frozenset[int]:
            return choice(indexed or promised_frames(path, stream=stream))

        decoded = yield from needed_frames_decoded(path, stream, plan, self._size)
        if decoded is None:
            yield None
            decoded = yield from every_frame_decoded(path, stream, plan, threads, self._size)
        while len(decoded.pts) != choice.num_frames or (decoded.is_damaged and threads == "AUTO"):
            # On one thread a damaged file gives the same frames on every machine, so this comes to an end.
            threads = "NONE" if decoded.is_damaged else threads
            wanted = choice(len(decoded.pts))
            yield None
            decoded = yield from every_frame_decoded(path, stream, _always(wanted), threads, self._size)
        return decoded

    def _of_folder(self) -> Generator[Wanted | None, None, DecodedPass]:
        folder, choice = open_frames(self._path, self._frames), self._choice
        decoded = yield from folder.wanted_frames(choice(len(folder.names)), self._size)
        while len(decoded.pts) != choice.num_frames:
            wanted = choice(len(decoded.pts))
            yield None
            decoded = yield from folder.every_frame(wanted, self._size)
        return decoded

    def _of_rows(self) -> Generator[Wanted | None, None, DecodedPass]:
        rows = Rows.of(self._path, self._row_seconds)
        for index in sorted(self._choice(len(rows.pts))):
            yield Wanted(index, NO_PICTURE, rows.seconds_of)
        return rows


def _always(wanted: frozenset[int]) -> Callable[[int], frozenset[int]]:
    return lambda _: wanted


class _Choice:
    """Asks ``choose`` for the frames of a video of so many frames, once, and remembers the last answer."""

    def __init__(self, path: Path, choose: Callable[[int], np.ndarray]) -> None:
        self.path = path
        self.choose = choose
        self.num_frames = -1

    def __call__(self, num_frames: int) -> frozenset[int]:
        if num_frames != self.num_frames:
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
